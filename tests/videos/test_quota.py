"""What an account may keep: the quota of all, one's own, and what counts against it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner

from app.database import db
from app.tasks.hashing import announce_originals
from app.videos.models import Video
from tests.conftest import make_user, sign_in
from tests.films import made_film, multipart
from tests.web import UPLOADS, creation

from .test_uploads import files_below

URL = "/api/local-videos/"
GLOBAL = "/api/global-videos/"
TUS = {"Tus-Resumable": "1.0.0"}


def me(client: FlaskClient) -> tuple[int | None, int]:
    found = client.get("/api/me/").json
    return found["quota_bytes"], found["used_bytes"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_films_and_unfinished_uploads_count_whole(app: APIFlask, signed_in: FlaskClient) -> None:
    film = made_film().read_bytes()
    assert me(signed_in) == (None, 0)
    app.config["USER_QUOTA_BYTES"] = 2 * len(film) + 100
    assert signed_in.post(URL, **multipart(film)).status_code == 201
    begun = signed_in.post(UPLOADS, headers=TUS | creation(len(film)))
    assert begun.status_code == 201
    assert me(signed_in) == (2 * len(film) + 100, 2 * len(film))
    assert begun.headers["Location"] == signed_in.get(UPLOADS).json[0]["url"]
    over = signed_in.post(UPLOADS, headers=TUS | creation(101))
    assert (over.status_code, over.json["code"]) == (507, "quota")
    assert "You have 100 B left." in over.json["detail"]
    form = signed_in.post(URL, **multipart(film))
    assert (form.status_code, form.json["code"]) == (507, "quota")
    assert len(files_below(app)) == 1
    assert signed_in.delete(begun.headers["Location"], headers=TUS).status_code == 204
    assert signed_in.post(URL, **multipart(film)).status_code == 201
    (first, *_) = signed_in.get(URL).json
    assert signed_in.delete(f"{URL}{first['id']}/").status_code == 204
    assert me(signed_in)[1] == len(film)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_account_may_have_a_quota_of_its_own(
    app: APIFlask, signed_in: FlaskClient, runner: FlaskCliRunner
) -> None:
    app.config["USER_QUOTA_BYTES"] = 1000

    def set_to(quota: str) -> str:
        return runner.invoke(args=["users", "quota", "mara@example.org", quota]).output

    assert me(signed_in)[0] == 1000
    assert "The quota of mara@example.org is set." in set_to("5M")
    assert me(signed_in)[0] == 5_000_000
    set_to("none")
    assert me(signed_in)[0] is None
    set_to("default")
    assert me(signed_in)[0] == 1000
    assert "Say how many bytes" in set_to("much")
    assert me(signed_in)[0] == 1000


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_film_that_is_there_already_is_offered(
    app: APIFlask, signed_in: FlaskClient, work: Callable[[], None]
) -> None:
    film = made_film().read_bytes()
    ids = [signed_in.post(URL, **multipart(film)).json["id"] for _ in range(2)]
    assert [one["duplicate_of"] for one in signed_in.get(URL).json] == [None, None]
    with app.app_context():
        app.extensions["redis"].flushdb()
        db.session.execute(db.update(Video).values(playable=True))
        db.session.commit()
        announce_originals()
        announce_originals()
    work()
    with app.app_context():
        hashes = set(db.session.scalars(db.select(Video.sha256)))
    assert hashes == {hashlib.sha256(film).hexdigest()}
    assert [one["duplicate_of"] for one in signed_in.get(URL).json] == [ids[0], None]
    with app.app_context():
        db.session.execute(db.update(Video).values(is_global=True))
        db.session.commit()
    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    assert [one["duplicate_of"] for one in other.get(GLOBAL).json] == [None, None]
    assert [one["duplicate_of"] for one in signed_in.get(GLOBAL).json] == [ids[0], None]
