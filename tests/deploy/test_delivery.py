"""What nginx serves itself, from the disk or a bucket, is what the application would answer."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from app import create_app
from app.videos import grants
from app.videos.names import is_image
from config import ROOT, Settings
from tests.conftest import PASSWORD
from tests.web import Answer

from .people import Person, shared_stream
from .site import GUEST, Deployment, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("deploy")]

OWN = {
    "date", "server", "connection", "x-request-id", "etag", "last-modified", "accept-ranges",
    "content-length", "transfer-encoding", "keep-alive", "content-disposition", "x-film",
    "x-film-place", "x-film-object",
}  # fmt: skip
"""Headers in which two servers may differ, as they do in how they spell the names of all."""


def same(
    site: Deployment, path: str, method: str = "GET", besides: str = "", **headers: str
) -> Answer:
    """Both answers, which must be the same, one header perhaps besides; nginx's."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    ours, theirs = site.ask(path, method, given), site.ask_app(path, method, given)
    if ours.status == 400 and theirs.status in {400, 404}:
        return ours  # nginx understands less of what is broken
    assert ours.status == theirs.status, (path, ours, theirs)
    assert ours.body == theirs.body, path
    assert shared(ours, besides) == shared(theirs, besides), path
    return ours


def shared(answer: Answer, besides: str = "") -> dict[str, str]:
    """The headers that every server in its place would send."""
    spelled = {name.lower(): value for name, value in answer.headers.items()}
    return {name: spelled[name] for name in spelled.keys() - OWN - {besides.lower()}}


def tag(answer: Answer) -> str:
    return next(value for name, value in answer.headers.items() if name.lower() == "etag")


@pytest.fixture(scope="module", params=["film", "film_in_bucket"])
def shown(request: pytest.FixtureRequest) -> int:
    """A film in each place."""
    return int(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def root(ada: Person, shown: int) -> str:
    return ada.stream(shown)


@pytest.fixture(scope="module")
def files(site: Deployment, root: str) -> list[str]:
    """Every file of the film that a grant opens, as addresses."""
    grant, grid = root.split("/")[2:4]
    folder = site.ask_app(f"/stream/{grant}/may-watch").headers["X-Film"]
    names = site.files_of(folder)
    found = [name.replace(f"grid-{grid}", root) for name in names if name.startswith("grid-")]
    found += [f"/stream/{grant}/{name}" for name in names if name.startswith("images/")]
    assert len(found) > 10
    return found


@pytest.fixture(scope="module")
def member(site: Deployment) -> int:
    """Another member."""
    site.flask("users", "create", "other@example.org", "--verified", "--password-stdin",
               typed=f"{PASSWORD}\n")  # fmt: skip
    return 2


def test_every_file_is_the_same_and_nginx_has_it(site: Deployment, files: list[str]) -> None:
    for path in files:
        answer = same(site, path)
        served = is_image(Path(path).name) or path.split("/")[3] != "images"
        assert answer.status == (200 if served else 404), path
        if served:
            assert not [name for name in answer.headers if name.lower().startswith("x-film")]
            assert same(site, f"{path}?v=1", "HEAD").status == 200
            part = same(site, path, Range="bytes=3-9")
            assert (part.status, len(part.body)) == (206, 7)
            beyond = same(site, path, besides="Content-Range", Range="bytes=99999999-")
            assert beyond.status == 416
            assert same(site, path, "POST").status in {403, 405}
            assert same(site, path, "OPTIONS").status == 200
    segment = next(path for path in files if path.endswith("/0.m4s"))
    site.supervise("stop", "videoflix:web")  # what was allowed a moment ago needs nobody else
    try:
        first = site.ask(segment)
        away = [site.ask(path) for path in ("/browse", "/api/me/", f"{segment[:-5]}9.m4s")]
    finally:
        site.supervise("start", "videoflix:web")
        site.wait_until_ready()
    assert first.status == 200
    assert {(answer.status, answer.headers["Retry-After"]) for answer in away} == {(503, "5")}
    assert b"<h1>Back in a moment</h1>" in away[0].body
    assert [answer.code for answer in away[1:]] == ["unavailable", "unavailable"]
    again = site.ask(segment, headers={"If-None-Match": tag(first)})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    several = site.ask(segment, headers={"Range": "bytes=0-1,5-6"})
    assert several.body == first.body


def test_the_files_can_be_read_by_the_group_that_nginx_is_in(site: Deployment, film: int) -> None:
    for path in [site.media, *site.media.rglob("*")]:
        mode = path.stat().st_mode
        assert mode & (0o050 if path.is_dir() else 0o040) >= 0o040, path
        assert mode & 0o007 == 0, path


SPELLINGS = [
    "../original", "..%2foriginal", "%2e%2e/original", "//original", "x/../../original",
    "ROW/../../../original", "ROW/..%2f..%2foriginal", "ROW//0.m4s", "ROW/./0.m4s", "ROW/00.m4s",
    "ROW/-1.m4s", "ROW/1e1.m4s", "ROW/%d9%a0.m4s", "ROW/99.m4s", "ROW/999999999.m4s",
    "ROW/9999999999999999999999.m4s", "720p/0.m4s", "ROW/init.mp4%00", "ROW/init.mp4%00.jpg",
    "ROW/..", "ROW/original", "attempts/x", "ROW/0.M4S", "ROW/0.m4s/", "ROW/0.m4s//", "ROW/%30.m4s",
    "%52OW/0.m4s", "ROW%2f0.m4s", "ROW/x/../0.m4s", "x/../ROW/0.m4s", "ROW\\0.m4s", "ROW%5c0.m4s",
    "ROW/0.m4s;x", "ROW/0.m4s%20", "ROW/0.m4s%0a", "ROW/0.m4s?x=/../../original", "ROW/0.m4s%3fx",
    "ROW/0.m4s#x", "ROW/Init.mp4", "ROW/init.mp4/..", "ROW/.", "ROW/%2e%2e/ROW/0.m4s",
    "ROW/0%2em4s", "../GRID/ROW/0.m4s", "../0GRID/ROW/0.m4s", "../%31/ROW/0.m4s",
    "../images/../GRID/ROW/0.m4s", "../images/pictures.json", "../images/poster.jpg/",
    "../images//poster.jpg", "../images/Poster.jpg", "../images/%70oster.jpg",
    "../images/board-00.jpg",
    "../images/..%2foriginal", "../images/../original", "../text/../images/poster.jpg",
    "../images/poster.jpg%00", "../999999/ROW/0.m4s", "../may-watch/0.m4s", "ROW/0.m4s/where",
    "ROW/0.m4s/where/", "ROW/99.m4s/where", "ROW/..%2foriginal/where", "ROW/original/where",
]  # fmt: skip
"""Below the grid's address, where ROW is a row; all with a grant that holds."""


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_means_something_else_to_nginx(
    site: Deployment, root: str, files: list[str], spelling: str
) -> None:
    row = next(path.split("/")[4] for path in files if path.endswith("p/0.m4s"))
    below = spelling.replace("ROW", row).replace("GRID", root.split("/")[3])
    above = root
    while below.startswith("../") and "/" in below[3:]:  # an address, not an attempt to climb
        above, below = above.rpartition("/")[0], below[3:]
    same(site, f"{above}/{below}")
    same(site, f"{root}/{spelling.replace('ROW', row)}")


@pytest.mark.parametrize(
    "spelling",
    ["/.may-watch", "/.may-see", "/%2emay-watch", "//.may-watch", "/x/../.may-see", "/stream",
     "/.bucket", "/.bucket/", "/.bucket/films/films/x", "/%2ebucket/films", "/x/../.bucket/films",
     "/stream/", "/stream//", "/stream/x", "/STREAM/x/1/y/0.m4s", "//stream/x/1/y/0.m4s",
     "/static", "/static/", "/static/..%2fsecurity.py", "/static/../security.py", "/static//css/",
     "/static/%2e%2e/security.py", "/static/css/videoflix.css/", "/static/css", "/Static/x",
     "/static/css/none.css", "/static../security.py", "/static/css/../../security.py"],
)  # fmt: skip
def test_nothing_of_ours_is_seen_from_outside(site: Deployment, spelling: str) -> None:
    assert b"def " not in same(site, spelling, besides="Vary").body


def test_who_may_not_is_told_what_the_application_tells(
    site: Deployment, shown: int, member: int, root: str, files: list[str]
) -> None:
    good = root.split("/")[2]
    app = create_app(Settings.load(site.environment, env_file=None))
    with app.app_context():
        other, _ = grants.issue(shown, member)
        foreign, _ = grants.issue(shown + 100, 1)
        app.config["GRANT_HOURS"] = -5
        expired, _ = grants.issue(shown, 1)
    swapped = good[:-1] + ("A" if good[-1] != "A" else "B")
    wrongs = {other, foreign, expired, swapped, good[:-4], good + "A", "x", ".x", "%00", "..", "."}
    for wrong in wrongs:
        for path in [*files[::5], f"{root}/master.m3u8"]:
            assert same(site, path.replace(good, wrong)).status in {400, 404}, (wrong, path)
    assert same(site, f"/stream/{good}/may-watch").status == 204  # what the grant says anyhow
    for path in (f"/stream/{good}/may-watch", f"{root}/audio-0/0.m4s/where"):
        assert not [name for name in site.ask(path).headers if name.lower().startswith("x-film")]
    assert same(site, f"/stream/{swapped}/may-see").status == 403


def test_guests_of_cors_and_nobody_else(site: Deployment, files: list[str]) -> None:
    for _ in range(2):  # asked for, then remembered
        answer = same(site, files[0], Origin=GUEST)
        assert answer.headers["Access-Control-Allow-Origin"] == GUEST
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        for origin in ("https://other.example.org", f"{GUEST}.evil.example", "null", 'x"y'):
            answer = same(site, files[0], Origin=origin)
            assert answer.status == 200
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Origin" in answer.headers["Vary"]


def test_static_files_are_the_same(site: Deployment) -> None:
    folder = ROOT / "app" / "static"
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    endings: set[str] = set()
    for name in sorted(names, key=lambda name: (name.startswith("vendor"), name)):
        if name.startswith("vendor") and Path(name).suffix in endings:
            continue
        endings.add(Path(name).suffix)
        assert same(site, f"/static/{name}", besides="Vary").headers["Cache-Control"] == "no-cache"
        versioned = same(site, f"/static/{name}?v=0", besides="Vary")
        assert "immutable" in versioned.headers["Cache-Control"]


def test_a_withdrawn_link_stops_within_a_minute(
    site: Deployment, ada: Person, film: int, film_in_bucket: int
) -> None:
    paths = [f"{shared_stream(site, ada, one)}/audio-0/0.m4s" for one in (film, film_in_bucket)]
    for path in paths:
        assert site.ask(path).status == 200
    for one in (film, film_in_bucket):
        assert ada.ask(f"/api/videos/{one}/share/", "DELETE").status == 204
    for path in paths:
        assert site.ask_app(path).status == 404
        wait_for(lambda path=path: site.ask(path).status == 404, 60)


def test_logs_open_nothing(site: Deployment, root: str, files: list[str]) -> None:
    site.ask(files[0])
    site.ask("/s/a-key-of-twenty-two-chars")
    site.ask("/verify/MQ/a-mailed-token?x=1")
    site.ask("/search?q=private-words")
    logs = [site.place / "log" / name for name in ("videoflix.log", "web.log")]
    wait_for(lambda: all("/verify/MQ/" in log.read_text() for log in logs), 15)
    said = "".join(log.read_text() for log in logs)
    secrets = ("a-key-of-twenty", "a-mailed-token", "private-words", "X-Amz-")
    for secret in (root.split("/")[2], *secrets):
        assert secret not in said


def test_a_flood_from_one_address_is_429(site: Deployment) -> None:
    seen: set[int] = set()
    deadline = time.monotonic() + 60
    with contextlib.closing(site.connect("127.0.0.2")) as connection:
        while 429 not in seen and time.monotonic() < deadline:
            connection.request("GET", "/api/none")
            answer = connection.getresponse()
            body = answer.read()
            seen.add(answer.status)
    assert seen == {404, 429}
    assert b"too_many_requests" in body
    assert answer.headers["Retry-After"] == "5"
