"""One id from the request to the ffmpegs that it caused, and no secret on the way."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.observability import JsonFormatter
from tests.films import made_film, multipart

Work = Callable[[], None]


@pytest.fixture
def log(app: APIFlask, tmp_path: Path) -> Iterator[Path]:
    """The lines of this process and of those it forks, as they would be on standard error."""
    path = tmp_path / "lines.log"
    handler = logging.FileHandler(path)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("app")
    logger.addHandler(handler)
    yield path
    logger.removeHandler(handler)
    handler.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_uploads_id_stands_in_every_line_that_it_caused(
    signed_in: FlaskClient, work: Work, log: Path
) -> None:
    ids = {}
    for name, film in {
        "evening-1": made_film(9, "640x360", "mpeg4"),
        "evening-2": made_film(),
    }.items():
        answer = signed_in.post(
            "/api/local-videos/", headers={"X-Request-ID": name}, **multipart(film.read_bytes())
        )
        ids[answer.json["id"]] = name
    work()
    playback = signed_in.get(f"/api/videos/{min(ids)}/playback/").json
    url = playback["hls_url"].removeprefix("http://localhost")
    signed_in.get(url).close()
    signed_in.get(f"{url.removesuffix('master.m3u8')}240p/0.m4s").close()
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines()]

    done = [line for line in lines if line["message"] == "task done"]
    assert {line["kind"] for line in done} >= {"plan", "chunk", "row", "poster", "story"}
    for line in done:  # also where another film's job announced it
        assert line["id"] == ids[line["video"]], line

    mine = [line for line in lines if line["id"] == "evening-1"]
    assert [line["status"] for line in mine if line["message"] == "request"] == [201]
    begun = [line for line in mine if line["message"] == "ffmpeg starts"]
    ended = [line for line in mine if line["message"] == "ffmpeg ended"]
    assert {line["pid"] for line in begun} == {line["pid"] for line in ended}
    chunks = [line for line in ended if line["stage"] == "video"]
    assert "240p, chunk 0" in chunks[0]["about"]
    assert {line["exit"] for line in chunks} == {0}
    assert all(line["seconds"] > 0 for line in ended)
    assert [line["stage"] for line in mine if line["message"] == "prober ended"] == ["probe"]

    assert [line for line in lines if line.get("path", "").startswith("/stream/…/")]
    grant = url.split("/")[2]
    cookies = [signed_in.get_cookie(name) for name in ("access_token", "refresh_token")]
    secrets = [grant, *(cookie.value for cookie in cookies if cookie)]
    assert len(secrets) == 3
    assert not [secret for secret in secrets if secret in log.read_text()]
