"""Grants: what they open, for whom, and when they stop."""

from __future__ import annotations

import string
import time
from collections.abc import Callable, Iterator

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.auth.models import User
from app.database import db, now
from app.errors import NotFound
from app.videos import grants
from app.videos.models import Video
from tests.conftest import Convert, make_user, sign_in
from tests.films import made_film, multipart

Work = Callable[[], None]


@pytest.fixture
def film(ready: Convert) -> int:
    """A film of the member's own, converted."""
    return ready(made_film(5))


def base(client: FlaskClient, video_id: int) -> str:
    """The stream's address up to the master playlist, without the host."""
    url = client.get(f"/api/videos/{video_id}/playback/").json["hls_url"]
    return str(url).removeprefix("http://localhost").removesuffix("master.m3u8")


def addresses(stranger: FlaskClient, root: str) -> Iterator[str]:
    """Everything that a player would read, by following the playlists."""
    yield f"{root}master.m3u8"
    master = stranger.get(f"{root}master.m3u8").text
    rows = {line for line in master.splitlines() if line.endswith("index.m3u8")}
    rows |= {line.split('URI="')[1].split('"')[0] for line in master.splitlines() if "URI=" in line}
    for row in sorted(rows):
        yield f"{root}{row}"
        folder = row[: row.rindex("/") + 1]
        for line in stranger.get(f"{root}{row}").text.splitlines():
            if line.startswith("#EXT-X-MAP"):
                yield f"{root}{folder}{line.split(chr(34))[1]}"
            elif line and not line.startswith("#"):
                yield f"{root}{folder}{line}"
    grant = root.split("/")[2]
    yield f"/stream/{grant}/images/poster.jpg"
    for name in ("thumb.jpg", "480.webp", "480.avif"):
        yield f"/stream/{grant}/images/{name}"


def status(client: FlaskClient, address: str) -> int:
    with client.get(address) as answer:
        return answer.status_code


def test_a_grant_opens_the_whole_film_and_nothing_dies_of_a_seek(
    app: APIFlask, signed_in: FlaskClient, film: int
) -> None:
    stranger = app.test_client()  # a player sends no cookies
    found = list(addresses(stranger, base(signed_in, film)))
    assert len(found) >= 9
    for address in found:
        assert status(stranger, address) == 200, address
    segment = next(address for address in found if address.endswith("/0.m4s"))
    with stranger.get(segment, headers={"Range": "bytes=0-99"}) as part:
        assert (part.status_code, len(part.data)) == (206, 100)
    with stranger.get(segment) as whole:
        assert whole.content_type == "video/iso.segment"
        assert "immutable" in whole.headers["Cache-Control"]
        assert "sandbox" in whole.headers["Content-Security-Policy"]


def test_no_grant_no_film(app: APIFlask, signed_in: FlaskClient, film: int) -> None:
    root = base(signed_in, film)
    grant = root.split("/")[2]
    found = list(addresses(signed_in, root))
    swapped = grant[:-1] + ("A" if grant[-1] != "A" else "B")
    with app.app_context():
        mine = db.session.scalar(db.select(User.id))
        other_film, _ = grants.issue(film + 1, mine or 0)
    for wrong in (swapped, grant[:-4], "x", "%00", "..", other_film):
        for address in found:
            assert status(signed_in, address.replace(grant, wrong)) in {400, 404}, (wrong, address)


def test_changing_the_last_letter_makes_a_grant_invalid(app: APIFlask) -> None:
    with app.app_context():
        grant, issued = grants.issue(1, 2)
        assert grants.read(grant) == issued
        for last in string.ascii_letters + string.digits + "-_=":
            if last != grant[-1]:  # base64 has spare bits: some of these would decode alike
                with pytest.raises(NotFound):
                    grants.read(grant[:-1] + last)


def test_an_expired_grant(
    app: APIFlask, signed_in: FlaskClient, film: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = base(signed_in, film)
    assert status(signed_in, f"{root}master.m3u8") == 200
    later = time.time() + 14 * 3600
    monkeypatch.setattr(grants.time, "time", lambda: later)
    assert status(signed_in, f"{root}master.m3u8") == 404


SPELLINGS = [
    "../original",
    "..%2foriginal",
    "%2e%2e/original",
    "//original",
    "x/../../original",
    "180p/../../../original",
    "180p/..%2f..%2foriginal",
    "180p//0.m4s",
    "180p/00.m4s",
    "180p/-1.m4s",
    "180p/1e1.m4s",
    "180p/\u0660.m4s",
    "180p/99.m4s",
    "720p/0.m4s",
    "180p/init.mp4%00",
    "180p/..",
    "180p/original",
    "attempts/x",
    "180p/0.M4S",
]


def test_no_spelling_leads_elsewhere(signed_in: FlaskClient, film: int) -> None:
    root = base(signed_in, film)
    assert status(signed_in, f"{root}180p/0.m4s") == 200
    answers = {spelling: status(signed_in, f"{root}{spelling}") for spelling in SPELLINGS}
    assert set(answers.values()) <= {308, 404}, answers


def test_a_grid_of_another_film_stays_shut(
    app: APIFlask, signed_in: FlaskClient, film: int, work: Work
) -> None:
    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    theirs = other.post("/api/local-videos/", **multipart(made_film(3).read_bytes())).json["id"]
    work()
    mine, foreign = base(signed_in, film), base(other, theirs)
    mixed = "/".join([*mine.split("/")[:3], foreign.split("/")[3], "master.m3u8"])
    assert status(signed_in, mixed) == 404
    for path in ("", "playback/", "grid/"):
        assert status(signed_in, f"/api/videos/{theirs}/{path}") == 404
    for page in (f"/videos/{theirs}", f"/watch/{theirs}"):
        assert status(signed_in, page) == 404
    assert signed_in.delete(f"/api/local-videos/{theirs}/").status_code == 404
    assert signed_in.patch(f"/api/local-videos/{theirs}/", json={"title": "x"}).status_code == 404
    assert [video["id"] for video in signed_in.get("/api/local-videos/").json] == [film]
    assert signed_in.get("/api/global-videos/").json == []


@pytest.mark.parametrize("event", ["deleted", "withdrawn", "disabled"])
def test_a_grant_ends_with_its_reason(
    app: APIFlask, signed_in: FlaskClient, film: int, event: str
) -> None:
    viewer_id = make_user(app, "viewer@example.org")
    viewer = sign_in(app.test_client(), "viewer@example.org")
    with app.app_context():
        db.session.get_one(Video, film).is_global = True
        db.session.commit()
    root = base(viewer, film)
    found = list(addresses(viewer, root))
    assert status(viewer, f"{root}master.m3u8") == 200
    if event == "deleted":
        assert signed_in.delete(f"/api/local-videos/{film}/").status_code == 204
    with app.app_context():
        if event == "withdrawn":
            db.session.get_one(Video, film).is_global = False
        elif event == "disabled":
            db.session.get_one(User, viewer_id).disabled_at = now()
        db.session.commit()
    for address in found:
        assert status(viewer, address) == 404, address


def test_a_segment_that_is_not_there_yet_is_wanted(
    app: APIFlask,
    signed_in: FlaskClient,
    ready: Convert,
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from app.videos import playback

    monkeypatch.setattr(playback, "WAIT_SECONDS", 0.3)
    video_id = ready(made_film(20, "320x180", "mpeg4"))
    root = base(signed_in, video_id)
    with app.app_context():  # as it was before this cell was filled
        name = db.session.scalar(db.select(Video.film))
        app.extensions["storage"].delete(name, f"{'grid-' + root.split('/')[3]}/180p/4.m4s")
        _empty(4)
    answer = signed_in.get(f"{root}180p/4.m4s")
    assert answer.status_code == 503
    assert answer.json["code"] == "pending"
    assert int(answer.headers["Retry-After"]) > 0
    work()
    assert status(signed_in, f"{root}180p/4.m4s") == 200


def _empty(segment: int) -> None:
    """Empty the cell of a segment and open its task again."""
    from app.videos.models import Cell, Rendition, Task, TaskState

    row = db.session.scalars(db.select(Rendition).where(Rendition.name == "180p")).one()
    cells = db.session.scalars(
        db.select(Cell).where(Cell.rendition_id == row.id).order_by(Cell.chunk)
    ).all()
    before = 0
    for cell in cells:
        before += len(cell.segments or [])
        if segment < before:
            cell.filled_at = None
            task = db.session.get_one(Task, cell.task_id)
            task.state = TaskState.WAITING
            break
    db.session.commit()


def test_the_server_in_front_is_told_what_a_grant_opens(
    app: APIFlask, signed_in: FlaskClient, film: int
) -> None:
    root = base(signed_in, film)
    grant = root.split("/")[2]
    stranger = app.test_client()
    with app.app_context():
        name = db.session.get_one(Video, film).film
    for right in ("may-watch", "may-see"):
        answer = stranger.get(f"/stream/{grant}/{right}")
        assert (answer.status_code, answer.data, answer.headers["X-Film"]) == (204, b"", name)
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert stranger.get(f"/stream/{grant}x/{right}").status_code == 403
    for way in ("redirect", "nginx"):  # a file of this machine is fetched from nowhere
        app.config["S3_DELIVERY"] = way
        place = stranger.get(f"/stream/{grant}/may-watch").headers.get("X-Film-Place")
        assert place == ("local" if way == "nginx" else None)
        assert stranger.get(f"{root}audio-0/0.m4s/where").status_code == 404
    with app.app_context():
        db.session.get_one(Video, film).playable = False
        db.session.commit()
    assert stranger.get(f"/stream/{grant}/may-see").status_code == 204  # its owner sees pictures
    refused = stranger.get(f"/stream/{grant}/may-watch")
    assert (refused.status_code, "X-Film" in refused.headers) == (403, False)
