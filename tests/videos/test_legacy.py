"""The addresses that existing Videoflix front ends use."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from tests.conftest import Convert, make_user, sign_in
from tests.films import made_film

from .test_lists import add_films
from .test_streams import status

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_list_is_what_one_may_watch_and_says_just_what_they_know(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    other_id = make_user(app, "other@example.org")
    add_films(app, other_id, 1)
    shared = add_films(app, other_id, 1, is_global=True, category="Drama")
    own = add_films(app, member, 1)
    add_films(app, member, 1, playable=False)
    found = signed_in.get("/api/video/").json
    assert [film["id"] for film in found] == [*own, *shared]
    assert found[1] | {"created_at": ""} == {
        "id": shared[0],
        "created_at": "",
        "title": "Film 0",
        "description": "",
        "thumbnail_url": None,
        "category": "Drama",
    }
    assert found[0]["category"] == "Other"
    assert app.test_client().get("/api/video/").status_code == 401


@pytest.fixture
def film(ready: Convert) -> int:
    return ready(made_film(5, "640x360"))


@pytest.mark.parametrize(
    ("asked", "height"), [("480p", 360), ("720p", 360), ("1080p", 360), ("240p", 240)]
)
def test_a_resolution_plays_in_the_nearest_there_is_with_sound(
    signed_in: FlaskClient, film: int, asked: str, height: int
) -> None:
    start = f"/api/video/{film}/{asked}/index.m3u8"
    master = signed_in.get(start)
    assert master.content_type == "application/vnd.apple.mpegurl"
    (variant,) = [line for line in master.text.splitlines() if line and not line.startswith("#")]
    assert f"x{height}," in master.text
    sound = re.search(r'TYPE=AUDIO.*URI="([^"]+)"', master.text)
    assert sound is not None
    for row in (variant, sound[1]):
        playlist = urljoin(start, row)
        text = signed_in.get(playlist).text
        names = re.findall(r'URI="([^"]+)"', text)
        names += [line for line in text.splitlines() if line and not line.startswith("#")]
        assert len(names) >= 3
        for name in names:
            address = urljoin(playlist, name)
            assert status(signed_in, address) == 200
            assert status(signed_in, f"{address}/") == 200


@pytest.mark.parametrize("path", ["x/index.m3u8", "0p/index.m3u8", "360p/nope/index.m3u8"])
def test_what_is_not_there_is_404(signed_in: FlaskClient, film: int, path: str) -> None:
    assert status(signed_in, f"/api/video/{film}/{path}") == 404


def test_others_and_strangers_get_nothing(app: APIFlask, signed_in: FlaskClient, film: int) -> None:
    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    stranger = app.test_client()
    for path in ("index.m3u8", "360p/index.m3u8", "360p/0.m4s", "360p/0.m4s/", "360p/init.mp4"):
        address = f"/api/video/{film}/720p/{path}"
        assert status(signed_in, address) == 200
        assert status(other, address) == 404
        assert status(stranger, address) == 401


def test_a_film_that_is_not_ready_to_watch_says_so(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (waiting,) = add_films(app, member, 1, playable=False)
    assert signed_in.get(f"/api/video/{waiting}/720p/index.m3u8").json["code"] == "not_playable"


def test_a_front_end_elsewhere_may_ask_before_a_get(app: APIFlask, signed_in: FlaskClient) -> None:
    app.config["CORS_ORIGINS"] = ("http://localhost:5500",)
    asked = {
        "Origin": "http://localhost:5500",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = signed_in.options("/api/video/", headers=asked)
    assert answer.status_code == 204
    assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
