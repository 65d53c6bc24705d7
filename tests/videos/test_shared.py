"""A film by its link: what it opens, and that it opens nothing else and nothing any more."""

from __future__ import annotations

import pytest
from apiflask import APIFlask
from sqlalchemy import update

from app.auth.models import User
from app.database import db, now
from app.videos import sharing
from app.videos.models import Video
from tests.conftest import Convert
from tests.films import made_film

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

WRONG = "nobody-has-made-this-0"


@pytest.fixture
def key(app: APIFlask, ready: Convert) -> str:
    """The key of a film that its owner has shared."""
    film = ready(made_film(1))
    with app.app_context():
        video = db.session.get_one(Video, film)
        made = sharing.share(video)
        db.session.commit()
    return made


def test_a_stranger_with_the_link_gets_all_that_a_player_needs(app: APIFlask, key: str) -> None:
    stranger = app.test_client()
    playback = stranger.get(f"/api/shared/{key}/").json
    assert (playback["position"], playback["next"]) == (0, None)
    assert stranger.get(playback["hls_url"]).status_code == 200
    with stranger.get(playback["poster_url"]) as picture:
        assert picture.status_code == 200
    assert stranger.get(f"/api/shared/{key}/grid/").json["status"] == "ready"

    page = stranger.get(f"/s/{key}")
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "private, no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Robots-Tag"] == "noindex, nofollow"
    for closed in ("/api/videos/", "/videos/", "/watch/", "/browse"):
        assert f'"{closed}' not in page.text, closed


def test_it_opens_nothing_of_the_account(app: APIFlask, key: str) -> None:
    stranger = app.test_client()
    stranger.get(f"/s/{key}")
    for path in ("/api/videos/1/", "/api/videos/1/playback/", "/api/local-videos/"):
        assert stranger.get(path).status_code == 401
    beat = stranger.put("/api/videos/1/progress/", json={"position": 1})
    assert beat.status_code == 401


@pytest.mark.parametrize("wrong", [WRONG, "x", "%00", "..%2f", "ä" * 22, WRONG[:-1] + "%0a"])
def test_a_wrong_link_is_said_so(app: APIFlask, key: str, wrong: str) -> None:
    page = app.test_client().get(f"/s/{wrong}")
    assert page.status_code == 404
    assert page.headers["Cache-Control"] == "private, no-store"
    answer = app.test_client().get(f"/api/shared/{wrong}/")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_it_dies_at_once_when_it_is_withdrawn_or_its_owner_is_shut_out(
    app: APIFlask, member: int, key: str
) -> None:
    stranger = app.test_client()
    stream = stranger.get(f"/api/shared/{key}/").json["hls_url"]
    addresses = (f"/s/{key}", f"/api/shared/{key}/", f"/api/shared/{key}/grid/", stream)

    def answers() -> set[int]:
        return {stranger.get(address).status_code for address in addresses}

    assert answers() == {200}
    for shut, expected in ((now(), {404}), (None, {200})):
        with app.app_context():
            db.session.execute(update(User).where(User.id == member).values(disabled_at=shut))
            db.session.commit()
        assert answers() == expected
    with app.app_context():
        sharing.unshare(db.session.get_one(Video, 1))
        db.session.commit()
    assert answers() == {404}
    page = stranger.get(f"/s/{key}").text
    assert "This link does not work any more." in page


def test_guessing_is_slowed_down_and_watching_is_not(app: APIFlask, key: str) -> None:
    app.config["LIMIT_LOGIN_ADDRESS"] = "3 per hour"
    app.extensions["redis"].flushdb()
    stranger = app.test_client()
    for _ in range(5):
        assert stranger.get(f"/s/{key}").status_code == 200
    answers = [stranger.get(f"/s/{WRONG}").status_code for _ in range(4)]
    assert answers == [404, 404, 404, 429]
    answer = stranger.get(f"/api/shared/{key}/")
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_requests")
    assert int(answer.headers["Retry-After"]) > 0
