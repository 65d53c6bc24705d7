"""What went wrong with films: told to administrators and operators, never to owners."""

from __future__ import annotations

import json

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner

from app.database import db, epoch_now
from app.tasks import claims
from app.videos.attempts import SHOWN
from app.videos.models import Status, Task, TaskKind, TaskState, Video
from app.videos.names import new_film
from tests.auth.conftest import csrf_token
from tests.conftest import make_user, sign_in

SECRET = "/srv/films/0123/original: <b>Invalid data</b>"


@pytest.fixture
def admin(app: APIFlask) -> FlaskClient:
    """A client that is signed in as an administrator."""
    make_user(app, "ada@example.org", role="admin")
    return sign_in(app.test_client(), "ada@example.org")


@pytest.fixture
def troubled(app: APIFlask, member: int) -> tuple[int, int]:
    """The ids of a film that is being converted, at its second attempt, and of one that failed."""
    with app.app_context():
        videos = [
            Video(owner_id=member, film=new_film(), title=title, size=1, status=Status.PROCESSING)
            for title in ("Going on", "Broken")
        ]
        db.session.add_all(videos)
        db.session.flush()
        busy, broken = [
            Task(video_id=video.id, kind=TaskKind.CHUNK, position=number)
            for number, video in enumerate(videos, start=6)
        ]
        untouched = Task(video_id=videos[1].id, kind=TaskKind.CHUNK, position=8)
        db.session.add_all([busy, broken, untouched])
        db.session.commit()
        first = claims.claim(busy.id, "host:1")
        assert first is not None
        claims.try_again(first, SECRET)
        db.session.commit()
        busy.not_before = 0.0
        db.session.commit()
        assert claims.claim(busy.id, "host:2") is not None
        last = claims.claim(broken.id, "host:3")
        assert last is not None
        claims.give_up(last, SECRET)
        claims.fail_video(last.video_id, code="damaged", stage="chunk", message="M.", hint="H.")
        db.session.commit()
        return videos[0].id, videos[1].id


def test_administrators_read_the_log(
    admin: FlaskClient, signed_in: FlaskClient, troubled: tuple[int, int]
) -> None:
    going_on, broken = troubled
    (task,) = admin.get(f"/api/videos/{going_on}/log/").json
    assert task["log"] == SECRET
    told = (task["kind"], task["chunk"], task["attempts"], task["state"], task["worker"])
    assert told == ("chunk", 6, 2, "waiting", "host:2")
    (task,) = admin.get(f"/api/videos/{broken}/log/").json
    told = (task["chunk"], task["attempts"], task["state"], task["log"])
    assert told == (7, 1, "failed", SECRET)
    assert admin.get("/api/videos/999/log/").status_code == 404
    refused = signed_in.get(f"/api/videos/{going_on}/log/")
    assert (refused.status_code, refused.json["code"]) == (403, "role_needed")


def test_no_answer_to_an_owner_has_a_log(
    app: APIFlask, signed_in: FlaskClient, troubled: tuple[int, int]
) -> None:
    paths = ["/api/local-videos/", "/api/me/export/", "/my-videos", "/browse"]
    for film in troubled:
        paths += [f"/api/videos/{film}/", f"/api/videos/{film}/grid/", f"/videos/{film}"]
        paths += [f"/api/local-videos/{film}/"]
    for path in paths:
        answer = signed_in.get(path)
        assert answer.status_code == 200, path
        assert "/srv/films" not in answer.text, path
        assert "host:" not in answer.text, path
    assert signed_in.get("/admin/videos").status_code == 403
    assert "/login" in app.test_client().get("/admin/videos").location


def test_the_page_shows_the_queue_and_what_failed(
    admin: FlaskClient, troubled: tuple[int, int]
) -> None:
    page = admin.get("/admin/videos").text
    queue, failed = page.split('id="failed-title"')
    for part in ("Going on", "mara", "host:2", "2 attempts"):
        assert part in queue
    for part in ("Broken", "damaged", "while: chunk", "M. H.", "1 attempt<"):
        assert part in failed
    assert "&lt;b&gt;Invalid data&lt;/b&gt;" in failed
    assert "<b>Invalid" not in page


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_buttons_of_the_page(app: APIFlask, admin: FlaskClient, troubled: tuple[int, int]) -> None:
    going_on, broken = troubled
    said = {}
    for film, button in ((broken, "retry"), (going_on, "cancel"), (broken, "delete")):
        answer = admin.post(
            f"/admin/videos/{film}/{button}",
            data={"csrf_token": csrf_token(admin, "/admin/videos")},
        )
        assert answer.status_code == 303
        assert answer.location.endswith("/admin/videos")
        said[button] = admin.get("/admin/videos").text
    assert "is gone, since it cannot be converted" in said["retry"]  # it has no file
    assert "is no longer converted" in said["cancel"]
    assert "“Broken” was deleted." in said["delete"]
    with app.app_context():
        assert db.session.get(Video, broken) is None
        assert db.session.get_one(Video, going_on).status == Status.CANCELLED


def test_a_page_stays_bounded(app: APIFlask, admin: FlaskClient, troubled: tuple[int, int]) -> None:
    with app.app_context():
        db.session.add_all(
            Task(
                video_id=troubled[0],
                kind=TaskKind.CHUNK,
                state=TaskState.DONE,
                attempts=2,
                lease_until=epoch_now(),
            )
            for _ in range(SHOWN + 5)
        )
        db.session.commit()
    assert len(admin.get(f"/api/videos/{troubled[0]}/log/").json) == SHOWN
    assert len(admin.get(f"/api/videos/{troubled[1]}/log/").json) == 1


def test_operators_read_the_log_on_the_command_line(
    runner: FlaskCliRunner, troubled: tuple[int, int]
) -> None:
    shown = runner.invoke(args=["videos", "show", str(troubled[1]), "--json"])
    (task,) = json.loads(shown.output)["log"]
    assert (task["attempts"], task["log"]) == (1, SECRET)
    words = runner.invoke(args=["videos", "show", str(troubled[0])]).output
    assert "chunk 6: attempts 2, waiting" in words
    assert SECRET in words
