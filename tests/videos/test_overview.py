"""The site at a glance, as an administrator sees it."""

from __future__ import annotations

from apiflask import APIFlask
from flask.testing import FlaskClient

from app.auth.admin import People, count_people
from app.auth.models import Role
from app.database import db
from app.storage import storage
from app.videos.models import Grid, Rendition, Status, Video
from app.videos.overview import Films, count_films, largest_accounts, measure_space
from tests.conftest import make_user, sign_in


def film(owner_id: int, size: int, **said: object) -> Video:
    video = Video(owner_id=owner_id, film=f"f{size}", title="Film", size=size, **said)
    db.session.add(video)
    db.session.flush()
    return video


def fill(member: int, other: int) -> None:
    shown = film(member, 900, is_global=True, playable=True, duration=60.0, status=Status.READY)
    film(member, 100, status=Status.FAILED, duration=5.0)
    film(other, 2000, playable=True, duration=30.0)
    film(other, 5000, received=10)
    grid = Grid(video_id=shown.id, plan="{}")
    db.session.add(grid)
    db.session.flush()
    for name, size in (("720p", 300), ("audio", 40)):
        db.session.add(
            Rendition(grid_id=grid.id, kind="video", name=name, codecs="", chunks=1, bytes=size)
        )
    db.session.commit()


def test_films_are_counted_by_kind(app: APIFlask, member: int) -> None:
    with app.app_context():
        fill(member, make_user(app, "ben@example.org"))
        assert count_films() == Films(total=4, in_catalogue=1, processing=2, failed=1, seconds=90.0)


def test_space_is_told_apart(app: APIFlask, member: int) -> None:
    with app.app_context():
        fill(member, make_user(app, "ben@example.org"))
        space = measure_space()
        assert (space.originals, space.renditions) == (3000, 340)
        assert space.free is not None
        assert space.free > 10**6
        assert abs(space.free - storage().free_bytes()) < 10**9
        assert space.total == 3340 + space.coming + space.free


def test_those_who_take_most_are_named_first(app: APIFlask, member: int) -> None:
    with app.app_context():
        fill(member, make_user(app, "ben@example.org"))
        assert [(use.user.username, use.films, use.bytes) for use in largest_accounts()] == [
            ("ben", 2, 7000),
            ("mara", 2, 1000),
        ]


def test_people_are_counted_by_state(app: APIFlask, member: int) -> None:
    make_user(app, "late@example.org", verified=False)
    with app.app_context():
        assert count_people() == People(active=1, unverified=1, disabled=0)


def test_the_page_shows_it_to_administrators_alone(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    assert signed_in.get("/admin").status_code == 403
    make_user(app, "boss@example.org", role=Role.ADMIN)
    with app.app_context():
        fill(member, make_user(app, "ben@example.org"))
    boss = sign_in(app.test_client(), "boss@example.org")
    page = boss.get("/admin").text
    assert "ben" in page
    assert "7.0 kB" in page


def test_an_empty_site_has_a_page_too(app: APIFlask, client: FlaskClient) -> None:
    make_user(app, "boss@example.org", role=Role.ADMIN)
    page = sign_in(client, "boss@example.org").get("/admin")
    assert page.status_code == 200
    assert "Nobody has uploaded a film yet." in page.text
