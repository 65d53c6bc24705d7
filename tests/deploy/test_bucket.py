"""What nginx gets out of a bucket itself: who asks for it, what is kept, and what is let out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.web import Answer

from .people import Person, shared_stream
from .site import Deployment
from .test_delivery import shared, tag

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("deploy")]

FORGED = {
    "X-Accel-Redirect": "/.bucket/films/other", "X-Film": "x", "X-Film-Place": "s3",
    "X-Film-Object": "/films/other", "X-Forwarded-Host": "evil.example", "Cookie": "a=secret",
    "Authorization": "Bearer secret", "X-Amz-Date": "now", "If-None-Match": '"1"',
}  # fmt: skip


@pytest.fixture(scope="module")
def audio(ada: Person, film_in_bucket: int) -> str:
    """The folder of the film's sound, with a grant."""
    return f"{ada.stream(film_in_bucket)}/audio-0"


@pytest.fixture
def forgotten(site: Deployment) -> Iterator[None]:
    """Nothing is kept of any film, as after nginx's folder was emptied; nor of this test."""
    forget(site)
    yield
    forget(site)


def forget(site: Deployment) -> None:
    for file in (site.place / "cache" / "grants-films").rglob("*"):
        if file.is_file():
            file.unlink()


@contextmanager
def another_bucket(
    site: Deployment, say: Callable[[BaseHTTPRequestHandler], None]
) -> Iterator[list[BaseHTTPRequestHandler]]:
    """A server in place of the bucket's, that answers as it likes; what it is asked."""
    asked: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self)
            say(self)

        def log_message(self, *_: object) -> None:
            pass

    site.bucket.stop()
    ThreadingHTTPServer.allow_reuse_address = True
    server = ThreadingHTTPServer((site.bucket.host, site.bucket.port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        site.bucket.start()


def says(
    status: int, headers: dict[str, str], body: bytes = b"<Error>words of the bucket</Error>"
) -> Callable[[BaseHTTPRequestHandler], None]:
    def say(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return say


def is_away(answer: Answer) -> bool:
    """A clear word for a player, and none of the bucket's."""
    words = (str(answer.headers) + answer.body.decode()).lower()
    assert not [word for word in ("bucket", "amz", "films/", "127.0.0.1", "xml") if word in words]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "no-store" in answer.headers["Cache-Control"]
    return answer.status == 503 and int(answer.headers["Retry-After"]) > 0


@pytest.mark.usefixtures("forgotten")
def test_what_one_viewer_got_the_next_gets_without_the_bucket(
    site: Deployment, ada: Person, film_in_bucket: int, audio: str
) -> None:
    theirs = f"{shared_stream(site, ada, film_in_bucket)}/audio-0"
    init = site.ask(f"{audio}/init.mp4")
    part = site.ask(f"{audio}/0.m4s", headers={"Range": "bytes=5-9"})  # the whole is kept
    assert (init.status, part.status, len(part.body)) == (200, 206, 5)
    site.bucket.stop()
    try:
        assert site.ask(f"{theirs}/init.mp4").body == init.body
        whole = site.ask(f"{theirs}/0.m4s")
        assert (whole.status, whole.body[5:10]) == (200, part.body)
        assert part.headers["Content-Range"] == f"bytes 5-9/{len(whole.body)}"
        assert whole.headers["Content-Type"] == "video/iso.segment"
        last = site.ask(f"{theirs}/0.m4s", headers={"Range": "bytes=-1"})
        assert (last.status, last.body) == (206, whole.body[-1:])
        head = site.ask(f"{theirs}/0.m4s", "HEAD")
        assert (head.status, head.headers["Content-Length"]) == (200, str(len(whole.body)))
        again = site.ask(f"{theirs}/0.m4s", headers={"If-None-Match": tag(whole)})
        assert (again.status, again.body) == (304, b"")
        assert is_away(site.ask(f"{audio}/1.m4s"))
    finally:
        site.bucket.start()
    assert site.ask(f"{audio}/1.m4s").status == 200
    assert ada.ask(f"/api/videos/{film_in_bucket}/share/", "DELETE").status == 204


@pytest.mark.usefixtures("forgotten")
def test_the_bucket_is_asked_once_and_told_nothing_of_the_viewer(
    site: Deployment, audio: str
) -> None:
    gate = threading.Event()
    spoken = says(200, {"Content-Type": "video/iso.segment"}, b"segment")

    def slowly(request: BaseHTTPRequestHandler) -> None:
        gate.wait(10)
        spoken(request)

    with another_bucket(site, slowly) as asked, ThreadPoolExecutor(6) as crowd:
        coming = [crowd.submit(site.ask, f"{audio}/0.m4s?x={n}", "GET", FORGED) for n in range(6)]
        while not asked:
            gate.wait(0.05)
        gate.set()
        answers = [one.result() for one in coming]
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"segment")}
    (one,) = asked
    path, _, query = one.path.partition("?")
    assert path.startswith("/films/films/")
    assert path.endswith("/audio-0/0.m4s")
    assert "X-Amz-Signature=" in query
    assert dict(one.headers) == {
        "Host": f"{site.bucket.host}:{site.bucket.port}", "Connection": "close"
    }  # fmt: skip


@pytest.mark.usefixtures("forgotten")
def test_only_a_segment_comes_out_of_a_bucket_under_our_headers(
    site: Deployment, audio: str
) -> None:
    own = {
        "Content-Type": "video/iso.segment", "ETag": '"1"', "Set-Cookie": "a=b", "Server": "S3",
        "x-amz-request-id": "1", "x-amz-server-side-encryption": "AES256", "Vary": "Cookie",
        "Cache-Control": "public, max-age=1", "Expires": "0", "Access-Control-Allow-Origin": "*",
        "Content-Security-Policy": "none", "Content-Disposition": "attachment", "Via": "x",
        "X-Accel-Redirect": "/static/css/videoflix.css", "X-Accel-Expires": "0",
    }  # fmt: skip
    with another_bucket(site, says(200, own, b"segment")):
        fetched = site.ask(f"{audio}/0.m4s")
    kept = site.ask(f"{audio}/0.m4s")
    forget(site)
    ours = site.ask(f"{audio}/0.m4s")
    assert fetched.body == kept.body == b"segment"
    assert shared(fetched) == shared(kept) == shared(ours)
    assert fetched.headers["Server"] == "nginx"
    assert fetched.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert fetched.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (403, {"Content-Type": "application/xml", "x-amz-id-2": "amz"}),
        (500, {"Content-Type": "application/xml"}),
        (503, {"Retry-After": "0"}),
        (301, {"Location": "http://127.0.0.1/films/elsewhere", "x-amz-bucket-region": "x"}),
        (307, {"Location": "/films/elsewhere"}),
    ],
)
def test_whatever_else_it_says_is_503_and_is_not_kept(
    site: Deployment, audio: str, status: int, headers: dict[str, str]
) -> None:
    with another_bucket(site, says(status, headers)) as asked:
        assert is_away(site.ask(f"{audio}/0.m4s"))
        assert len(asked) == 1
    assert site.ask(f"{audio}/0.m4s").status == 200


@pytest.mark.usefixtures("forgotten")
def test_half_a_segment_is_not_kept(site: Deployment, audio: str) -> None:
    half = says(200, {"Content-Length": "999"}, b"half")
    with another_bucket(site, half), pytest.raises(IncompleteRead):
        site.ask(f"{audio}/0.m4s")
    whole = site.ask(f"{audio}/0.m4s")
    assert whole.status == 200
    assert whole.body != b"half"
