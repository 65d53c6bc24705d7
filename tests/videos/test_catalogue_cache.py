"""What is kept of the catalogue: the same for everyone, and gone with the write that changes it."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import update

from app import create_app
from app.auth.models import User
from app.database import db, update_rows
from app.videos import catalogue_cache, categories, series, service, shelves
from app.videos.models import Status, Video
from bench.statements import statements
from config import Settings
from tests.conftest import make_user, sign_in
from tests.tasks.test_redis_away import RedisServer
from tests.videos.test_lists import add_films

LIST = "/api/global-videos/"


def titles(client: FlaskClient) -> list[str]:
    return [film["title"] for film in client.get(LIST).json]


def of_film(video_id: int, act: Callable[[Video], object]) -> Callable[[], object]:
    return lambda: act(db.session.get_one(Video, video_id))


def test_a_kept_list_takes_two_statements(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    add_films(app, member, 5, is_global=True)
    signed_in.get(LIST)  # the version is there from now on
    counts = []
    for _ in range(3):
        with statements(app, "SELECT") as made:
            assert len(signed_in.get(LIST).json) == 5
        counts.append(len(made))
    assert counts[0] <= 4
    assert counts[1:] == [2, 2]


def test_many_applications_in_a_process_write_a_films_words_once(
    app: APIFlask, settings: Settings, member: int
) -> None:
    add_films(app, member, 3, is_global=True)  # the words for typos are there from now on
    counts = []
    for _ in range(2):
        with statements(app) as made:
            add_films(app, member, 3, is_global=True)
        counts.append(len(made))
        create_app(settings)
    assert counts[0] == counts[1]


def test_every_write_is_seen_by_the_next_request(
    app: APIFlask, settings: Settings, signed_in: FlaskClient, member: int
) -> None:
    """Also by another process, here a second application on the same parts."""
    first, second, third = add_films(app, member, 3, is_global=True, category="Nature")
    (private,) = add_films(app, member, 1)
    elsewhere = create_app(settings)
    visitor = elsewhere.test_client()
    with app.app_context():
        user = db.session.get_one(User, member)
        db.session.expunge(user)
    make_user(app, "other@example.org")
    sign_in(visitor, "other@example.org")

    def said(of: FlaskClient) -> list[tuple[Any, ...]]:
        return [
            (film["id"], film["title"], film["category"], film["owner"]["username"], film["series"])
            for film in of.get(LIST).json
        ]

    def rename() -> None:
        db.session.get_one(User, member).username = "Somebody else"

    writes: list[Callable[[], object]] = [
        of_film(first, lambda video: setattr(video, "title", "Another title")),
        of_film(private, service.publish),
        of_film(private, service.withdraw),
        of_film(second, service.remove),
        of_film(third, lambda video: series.assign(video, "The Lighthouse", 1, 2)),
        lambda: update_rows(update(Video).where(Video.id == third).values(playable=False)),
        lambda: update_rows(update(Video).where(Video.id == third).values(playable=True)),
        rename,
    ]
    before = said(signed_in)
    for write in writes:
        assert said(visitor) == before
        with app.app_context():
            write()
            db.session.commit()
        after = said(signed_in)
        assert after != before
        assert said(visitor) == after
        before = after
    with elsewhere.app_context():
        db.engine.dispose()
        elsewhere.extensions["redis"].close()


def test_categories_follow_films_and_curators(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    def names() -> list[tuple[str, int]]:
        return [(each["name"], each["count"]) for each in signed_in.get("/api/categories/").json]

    add_films(app, member, 1, is_global=True, category="Nature")
    assert names() == names() == [("Nature", 1)]
    add_films(app, member, 2, is_global=True, category="City")
    assert names() == names() == [("City", 2), ("Nature", 1)]
    with app.app_context():
        categories.arrange(["Nature"])
        db.session.commit()
    assert names() == [("Nature", 1), ("City", 2)]


def test_what_changes_nothing_shown_moves_nothing(app: APIFlask, member: int) -> None:
    (shown,) = add_films(app, member, 1, is_global=True)
    (private,) = add_films(app, member, 1)
    received = update(Video).where(Video.id == shown).values(received=1)
    with app.app_context():
        shelves.categories()
        redis = app.extensions["redis"]
        version = redis.get("videoflix:cache:catalogue:version")
        assert version is not None
        for write in (
            of_film(private, lambda video: setattr(video, "title", "Mine")),
            of_film(shown, lambda video: setattr(video, "sha256", "0" * 64)),
            lambda: update_rows(received.execution_options(**catalogue_cache.UNSEEN)),
        ):
            write()
            db.session.commit()
            assert redis.get("videoflix:cache:catalogue:version") == version
        db.session.get_one(Video, shown).title = "Not kept"
        db.session.flush()
        db.session.rollback()
        assert redis.get("videoflix:cache:catalogue:version") == version


def test_nobody_is_shown_what_is_another_persons(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, is_global=True, category="Nature", duration=100.0)
    (private,) = add_films(app, member, 1, category="Nature")
    signed_in.patch(f"/api/local-videos/{private}/", json={"title": "Nobody else sees it"})
    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    signed_in.put(f"/api/my-list/{film}/")
    signed_in.put(f"/api/videos/{film}/progress/", json={"position": 30})
    signed_in.post(f"/api/videos/{film}/share/")
    for client, mine in ((signed_in, True), (other, False), (signed_in, True), (other, False)):
        (seen,) = client.get(LIST).json
        assert seen["in_my_list"] is mine
        assert seen["position"] == (30 if mine else 0)
        for page in ("/browse", "/browse/category/Nature", "/browse/row?category=Nature"):
            text = client.get(page).text
            assert ("Nobody else" in text) is (mine and page == "/browse"), page
            assert ('aria-pressed="true"' in text) is mine, page
    kept = b" ".join(
        app.extensions["redis"].get(key)
        for key in app.extensions["redis"].keys("videoflix:cache:*")
    )
    assert b"Film 0" in kept
    for secret in ("Nobody", "/s/", "/stream/", '"position"', '"share_url"'):
        assert secret.encode() not in kept


def test_what_was_read_before_a_commit_is_not_kept_after_it(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    """A writer commits while a reader, who began earlier, has read but not yet kept it."""
    (film,) = add_films(app, member, 1, is_global=True)
    titles(signed_in)

    def slow() -> dict[str, Any]:
        found = {"films": [], "title": db.session.get_one(Video, film).title}
        with app.app_context():
            db.session.get_one(Video, film).title = "New"
            db.session.commit()
        return found

    def read() -> dict[str, Any]:
        return {"films": [], "title": db.session.get_one(Video, film).title}

    with app.app_context():
        found = catalogue_cache.recall("test", slow, lambda _: False)
        assert found["title"] == "Film 0"
        # A session that has read before that commit, as a request's has by its sign-in.
        db.session.get_one(User, member)
        assert catalogue_cache.recall("test", read, lambda _: False)["title"] == "New"


def test_a_session_that_began_earlier_keeps_nothing_old(app: APIFlask, member: int) -> None:
    (film,) = add_films(app, member, 1, is_global=True)

    def read() -> str:
        return db.session.get_one(Video, film).title

    with app.app_context():
        catalogue_cache.recall("other", read, lambda _: False)  # the version is there from now on
        title = read()  # on SQLite what this session sees is fixed from here on
        with app.app_context():
            db.session.get_one(Video, film).title = "New"
            db.session.commit()
        assert title == "Film 0"
        assert catalogue_cache.recall("test", read, lambda _: False) == "New"


def test_a_page_with_films_in_the_making_lives_for_moments(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    def life() -> int:
        titles(signed_in)
        titles(signed_in)
        redis = app.extensions["redis"]
        (key,) = redis.keys("videoflix:cache:catalogue:leaf:*")
        return int(redis.ttl(key))

    (film,) = add_films(app, member, 1, is_global=True)
    assert life() > catalogue_cache.CHANGING_SECONDS
    app.extensions["redis"].flushdb()
    with app.app_context():
        update_rows(update(Video).where(Video.id == film).values(status=Status.PROCESSING))
        db.session.commit()
    assert life() <= catalogue_cache.CHANGING_SECONDS


def test_values_that_are_not_ours_are_not_there(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    add_films(app, member, 1, is_global=True)
    redis = app.extensions["redis"]
    assert titles(signed_in) == titles(signed_in) == ["Film 0"]
    for foreign in (b"!\x80\x04cposix\nsystem\n.", b'{"films": []}', b"[]", b"7"):
        (key,) = redis.keys("videoflix:cache:catalogue:leaf:*")
        redis.set(key, foreign)
        assert titles(signed_in) == ["Film 0"]


@pytest.fixture
def mortal_redis() -> Iterator[RedisServer]:
    folder = Path(tempfile.mkdtemp(prefix="vf-redis-"))
    server = RedisServer(folder)
    yield server
    server.kill()
    shutil.rmtree(folder)


def test_the_catalogue_is_there_without_redis(
    settings: Settings, mortal_redis: RedisServer
) -> None:
    own = dataclasses.replace(settings, REDIS_URL=f"unix://{mortal_redis.socket}")
    app = create_app(own)
    owner = make_user(app, "mara@example.org")
    client = sign_in(app.test_client(), "mara@example.org")
    (film,) = add_films(app, owner, 1, is_global=True, category="Nature")
    pages = ("/browse", "/browse/category/Nature", f"/videos/{film}", LIST, "/api/categories/")
    assert titles(client) == titles(client) == ["Film 0"]
    mortal_redis.kill()
    for path in pages:
        assert client.get(path).status_code == 200, path
    changed = client.patch(f"/api/local-videos/{film}/", json={"title": "Without Redis"})
    assert changed.status_code == 200
    assert titles(client) == ["Without Redis"]
    mortal_redis.start()
    assert titles(client) == ["Without Redis"]
    with app.app_context():
        db.engine.dispose()
        app.extensions["redis"].close()
