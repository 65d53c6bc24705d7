"""What a deployment promises: TLS, large uploads, playback, restarts and deaths, backups."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, expect
from redis import Redis
from redis.exceptions import RedisError

from config import ROOT
from tests.browser.test_first_evening import FRAMES, until
from tests.conftest import PASSWORD
from tests.films import made_film, multipart
from tests.web import CHUNK, creation

from .people import Person
from .site import ADMIN, Deployment, wait_for, watcher

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("deploy")]

UPLOAD_BYTES = 2 << 30
GROWTH_BYTES = 48 * 2**20
BLOCK = bytes(1 << 20)


def test_https_alone_and_http2_where_it_is_spoken(site: Deployment) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=10)
    plain.request("GET", "/watch/1?x=1", headers={"Host": "evil.example"})
    moved = plain.getresponse()
    assert (moved.status, moved.headers["Location"]) == (308, f"{site.url}/watch/1?x=1")
    plain.close()
    context = site.tls()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", site.port)) as line,
        context.wrap_socket(line, server_hostname="localhost") as tls,
    ):
        assert tls.selected_alpn_protocol() == "h2"
        assert tls.version() == "TLSv1.3"
    for name in ("films.elsewhere.example", "127.0.0.1"):  # whoever asks for another site
        context = ssl._create_unverified_context()  # noqa: S323 - there is nothing to verify
        with (
            pytest.raises(ssl.SSLError),
            socket.create_connection(("127.0.0.1", site.port)) as line,
            context.wrap_socket(line, server_hostname=name),
        ):
            pass
    assert site.ask("/", headers={"Host": "evil.example"}).status in {400, 421}
    page = site.ask("/", headers={"Accept-Encoding": "gzip"})
    assert page.headers["Content-Encoding"] == "gzip"
    assert b"Videoflix" in gzip.decompress(page.body)
    assert "max-age=31536000" in page.headers["Strict-Transport-Security"]
    assert page.headers["Server"] == "nginx"


def test_a_client_cannot_say_who_it_is(site: Deployment) -> None:
    """A forged address, an odd id, and headers that are nginx's own affair."""
    said = {"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6"}
    ruled = {"X-Accel-Redirect": "/static/x", "X-Forwarded-Host": "evil.example", "X-Film": "x"}
    answer = site.ask("/healthz", headers={**said, **ruled, "X-Request-ID": "mine-1"})
    assert (answer.status, answer.headers["X-Request-ID"]) == (200, "mine-1")
    log = site.place / "log" / "web.log"
    wait_for(lambda: '"id": "mine-1"' in log.read_text(), 15)  # supervisor writes it in its time
    assert "6.6.6.6" not in log.read_text()
    odd = site.ask("/healthz", headers={"X-Request-ID": 'x" injected'})
    assert re.fullmatch("[0-9a-f]{32}", odd.headers["X-Request-ID"])


def test_two_gigabytes_come_in_as_they_are_sent(site: Deployment, ada: Person) -> None:
    head = made_film().read_bytes()
    rest = UPLOAD_BYTES - len(head)
    head += b"\x00\x00\x00\x01free" + rest.to_bytes(8, "big")  # a box of nothing fills it up
    begun = {"Tus-Resumable": "1.0.0", **creation(UPLOAD_BYTES, filename="big.mp4")}
    path = ada.ask("/api/uploads/", "POST", begun).headers["Location"].removeprefix(site.url)
    web = site.program("web")
    before = max(worker.memory_info().rss for worker in web.children())
    peak = [before]

    def blocks(count: int) -> Iterator[bytes]:
        for number in range(count):
            if number % 50 == 0:
                peak.append(max(worker.memory_info().rss for worker in web.children()))
            yield BLOCK

    def send(offset: int, first: bytes, length: int, keep_open: bool = False) -> int:
        with contextlib.closing(site.connect()) as connection:
            connection.putrequest("PATCH", path)
            for name, value in {
                "Tus-Resumable": "1.0.0", "Upload-Offset": str(offset), "Content-Type": CHUNK,
                "Content-Length": str(length), "Cookie": ada.cookies,
            }.items():  # fmt: skip
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(first)
            left = length - len(first)
            for block in blocks(-(-left // len(BLOCK))):
                connection.send(block[:left])
                left -= min(left, len(block))
                if keep_open and left < length // 2:
                    return 0
            return int(connection.getresponse().status)

    def offset() -> int:
        asked = ada.ask(path, "HEAD", {"Tus-Resumable": "1.0.0"})
        assert asked.status == 200, asked
        return int(asked.headers["Upload-Offset"])

    send(0, head, 100 * 2**20, keep_open=True)  # the line breaks in the middle of it
    kept = offset()
    assert kept > 40 * 2**20  # every byte was handed on as it came
    status = 423
    while status == 423:  # the claim of the broken line ends
        kept = offset()
        status = send(kept, b"", UPLOAD_BYTES - kept)
        time.sleep(0.2)
    assert status == 204
    video = int(ada.ask("/api/uploads/", headers={"Tus-Resumable": "1.0.0"}).json[0]["video_id"])
    assert max(peak) - before < GROWTH_BYTES
    assert ada.video(video)["size"] == UPLOAD_BYTES
    wait_for(lambda: bool(ada.video(video)["playable"]), 120)
    assert ada.ask(f"/api/local-videos/{video}/", "DELETE").status == 204
    assert (site.place / "log" / "error.log").read_text().count("buffered to a temporary file") == 0


@pytest.mark.parametrize(
    ("place", "said"),
    [("film", '"app_seconds":"","cache":""'), ("film_in_bucket", '"cache":"(?:MISS|HIT)"')],
)
def test_a_film_plays_in_chromium(
    site: Deployment,
    ada: Person,
    request: pytest.FixtureRequest,
    place: str,
    said: str,
    chromium: Browser,
) -> None:
    film = request.getfixturevalue(place)
    context = chromium.new_context(ignore_https_errors=True, locale="en-GB")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.goto(f"{site.url}/login")
    page.get_by_label("Email").fill(ADMIN)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/browse")
    page.goto(f"{site.url}/watch/{film}")
    expect(page.locator("[data-player]")).to_have_attribute("data-state", "playing")
    video = page.locator("video")
    until(page, lambda: video.evaluate(FRAMES) > 10)
    context.close()
    assert problems == []
    log = site.place / "log" / "videoflix.log"
    grid = ada.stream(film).split("/")[3]
    own = rf'"path":"/stream/…/{grid}/\d+p/\d+\.m4s","status":20[06],.*{said}'
    wait_for(lambda: re.search(own, log.read_text()) is not None, 15)  # nginx sent it by itself


def test_redis_lets_the_site_do_its_work_and_nothing_else(site: Deployment, film: int) -> None:
    everything = watcher(site)
    refused = [(entry["object"], entry["reason"]) for entry in everything.acl_log()]
    assert [one for one in refused if one != ("client", "command")] == []
    assert everything.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert everything.config_get("appendonly") == {"appendonly": "yes"}
    url = site.environment["REDIS_URL"]
    ours = Redis.from_url(url)
    for words in (["FLUSHALL"], ["FLUSHDB"], ["CONFIG", "GET", "*"], ["KEYS", "*"], ["SHUTDOWN"],
                  ["DEBUG", "SLEEP", "0"], ["ACL", "LIST"], ["SAVE"], ["REPLICAOF", "NO", "ONE"],
                  ["GET", "other:key"], ["CLIENT", "KILL", "TYPE", "normal"]):  # fmt: skip
        with pytest.raises(RedisError, match=r"(?i)noperm|permission"):
            ours.execute_command(*words)
    with pytest.raises(RedisError):
        Redis(port=site.redis_port).ping()
    for client in (everything, ours):
        client.close()


def deaths(site: Deployment) -> Iterator[tuple[str, Callable[[], None]]]:
    """Every part, restarted as its operator does and killed as the kernel does."""

    def kill(process: psutil.Process) -> None:
        process.kill()
        process.wait(20)

    def kill_all(name: str) -> None:
        site.kill(name)
        site.start(name)

    def restart_redis() -> None:
        site.stop("redis")
        site.start("redis")

    def restart_database() -> None:
        site.database.stop()
        site.database.start()

    yield "the workers are restarted", lambda: print(site.supervise("restart", "videoflix:workers"))
    yield "the web server is restarted", lambda: print(site.supervise("restart", "videoflix:web"))
    yield "a worker is killed", lambda: kill(site.program("workers").children()[-1])
    yield "the pool is killed", lambda: kill(site.program("workers"))
    yield "a web process is killed", lambda: kill(site.program("web").children()[0])
    yield "the web server is killed", lambda: kill(site.program("web"))
    yield "Redis is restarted", restart_redis
    yield "Redis is killed", lambda: kill_all("redis")
    yield "the database crashes", restart_database
    yield "nginx reads its settings again", lambda: site.running["nginx"].send_signal(signal.SIGHUP)
    yield (
        "an nginx process is killed",
        lambda: kill(psutil.Process(site.running["nginx"].pid).children()[0]),
    )
    yield "nginx is killed", lambda: kill_all("nginx")
    yield "supervisor is killed", lambda: kill_all("supervisor")


def test_every_part_may_be_restarted_or_die_in_the_middle(
    site: Deployment, ada: Person, film: int
) -> None:
    form = multipart(made_film(16, "1280x720", "mpeg4").read_bytes(), "long.mkv", title="Long")
    headers = {"Content-Type": form["content_type"]}
    long = int(ada.ask("/api/local-videos/", "POST", headers, form["data"]).json["id"])
    segment = f"{ada.stream(film)}/audio-0/0.m4s"
    hashes = {hashlib.sha256(site.ask(segment).body).hexdigest()}
    ended = threading.Event()
    watched = [0]

    def watch() -> None:
        while not ended.wait(0.05):
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = site.ask(segment)
                if answer.status == 200:
                    hashes.add(hashlib.sha256(answer.body).hexdigest())
                    watched[0] += 1

    viewer = threading.Thread(target=watch)
    viewer.start()
    try:
        for what, happen in deaths(site):
            happen()
            wait_for(site.is_ready, 60, lambda what=what: f"after {what}: {site.last_words()}")
            seen = watched[0]
            wait_for(lambda seen=seen: watched[0] > seen, 30)
    finally:
        ended.set()
        viewer.join()
    assert len(hashes) == 1
    ada.wait(long, 180)
    assert ada.video(long)["error"] is None
    audit = json.loads(site.flask("storage", "audit", "--json"))
    assert audit["findings"] == []


def test_a_backup_comes_back_on_an_empty_host(site: Deployment, ada: Person, film: int) -> None:
    if not shutil.which("rsync"):
        pytest.skip("rsync is needed: apt install rsync")
    programs = f"{site.database.programs}:{os.environ['PATH']}"

    def script(name: str, folder: Path, **settings: str) -> str:
        done = subprocess.run(
            [ROOT / "deploy" / name, folder],
            env={**site.environment, **settings, "PATH": programs},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    first = Path(script("backup.sh", site.place / "backups").strip())
    time.sleep(1)
    second = Path(script("backup.sh", site.place / "backups").strip())
    assert first != second
    originals = [next((one / "media").rglob("original")) for one in (first, second)]
    assert originals[0].stat().st_ino == originals[1].stat().st_ino  # kept once
    elsewhere = site.place / "elsewhere"
    other = {"DATA_DIR": str(elsewhere), "DATABASE_URL": site.database.create("elsewhere")}
    said = script("restore.sh", second, **other)
    assert "rows and files agree" in said
    assert hashes_below(elsewhere / "media" / "films") == hashes_below(site.media / "films")
    exported = [site.place / "here.gz", site.place / "there.gz"]
    for file, given in zip(exported, ({}, other), strict=True):
        site.flask("data", "export", str(file), **given)
    rows = [gzip.decompress(file.read_bytes()) for file in exported]
    assert rows[0] == rows[1]
    refused = subprocess.run(
        [ROOT / "deploy" / "restore.sh", second],
        env={**site.environment, "PATH": programs}, capture_output=True, text=True,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "empty site only" in refused.stderr


def hashes_below(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "attempts" not in path.parts
    }
