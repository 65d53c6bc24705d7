"""One deployment for all tests of this folder, a person who is signed in, and two films."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.films import made_film, multipart

from .people import Person, sign_in
from .site import Deployment, deployed


@pytest.fixture(scope="session")
def site() -> Iterator[Deployment]:
    with deployed() as running:
        yield running


@pytest.fixture(scope="session")
def ada(site: Deployment) -> Person:
    """The administrator."""
    return sign_in(site)


@pytest.fixture(scope="session")
def film(ada: Person) -> int:
    """A converted film of the administrator's own."""
    form = multipart(made_film(9, "640x360", "mpeg4").read_bytes(), "film.mkv", title="Bars")
    headers = {"Content-Type": form["content_type"]}
    answer = ada.ask("/api/local-videos/", "POST", headers, form["data"])
    assert answer.status == 201, answer
    return ada.wait(int(json.loads(answer.body)["id"]))


@pytest.fixture(scope="session")
def film_in_bucket(site: Deployment, ada: Person, film: int) -> int:
    """A shorter one, whose files are in the bucket."""
    source = str(made_film(5, "640x360", "mpeg4"))
    said = site.flask("videos", "import", source, "--json", STORAGE="s3")
    (line,) = json.loads(said)["imported"]
    return ada.wait(int(line["video_id"]))
