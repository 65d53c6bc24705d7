"""The README's examples work as printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import ROOT, Site
from tests.films import made_film

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_the_curl_examples(demo_site: Site, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    examples = re.findall(r"```sh\n(curl .*?)```", readme, re.DOTALL)
    assert len(examples) == 5
    (tmp_path / "film.mp4").write_bytes(made_film().read_bytes())
    demo_site.wait_for_films(lambda films: films[0].playable)  # the demo film
    answers: list[Any] = []
    for example in examples:
        command = example.replace("http://127.0.0.1:8000", demo_site.url)
        token = str(answers[-1]["token"]) if "$TOKEN" in command else ""
        done = subprocess.run(  # as a person would type it
            ["sh", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "TOKEN": token},
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(json.loads(done.stdout))
    assert answers[0]["user"]["email"] == "demo@videoflix.example"
    assert answers[1]["title"] == "My film"
    titles = [{video["title"] for video in answer} for answer in (answers[2], answers[4])]
    assert "Big Buck Bunny" in titles[0]
    assert "My film" not in titles[0]  # it is one's own, and nobody else's
    assert {"My film", "Big Buck Bunny"} <= titles[1]
