"""`/metrics`: what it counts, whom it tells, and that several processes add up."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from app import create_app
from app.database import db, now
from app.errors import Unavailable
from app.videos import playback
from app.videos.models import Status, Upload, Video
from app.videos.names import new_film
from bench.statements import statements
from config import Settings
from tests.films import made_film, multipart
from tests.web import Web, serve, write_token

Work = Callable[[], None]
Labels = dict[str, str]


def read(text: str) -> dict[str, list[tuple[Labels, float]]]:
    """Every sample by its name. Raises ValueError where this is not Prometheus' text."""
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation.endswith("."), family.name
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def scrape(client: FlaskClient, **headers: str) -> dict[str, list[tuple[Labels, float]]]:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain")
    return read(answer.text)


def value(samples: dict[str, list[tuple[Labels, float]]], name: str, **labels: str) -> float:
    """The sum of the samples that have these labels; 0 where there is none."""
    return sum(
        number
        for own, number in samples.get(f"videoflix_{name}", [])
        if labels.items() <= own.items()
    )


def add_films(app: APIFlask, owner: int, *films: dict[str, Any]) -> None:
    """Rows of films that need no files."""
    with app.app_context():
        for facts in films:
            video = Video(owner_id=owner, film=new_film(), title="x", size=10)
            for name, fact in facts.items():
                setattr(video, name, fact)
            db.session.add(video)
        db.session.commit()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_requests_are_counted_by_route_never_by_id(client: FlaskClient) -> None:
    before = scrape(client)
    for number in (1, 2, 3):
        client.get(f"/stream/a-grant-{number}/1/720p/{number}.m4s")
    client.get("/nothing-here-1")
    client.open("/login", method="BREW")
    after = scrape(client)
    segment = {"route": "/stream/<grant>/<int:grid>/<row>/<name>", "status": "404"}
    count = "http_requests_total"
    assert value(after, count, **segment) - value(before, count, **segment) == 3
    assert value(after, count, route="none") > value(before, count, route="none")
    assert value(after, count, method="other") > value(before, count, method="other")
    timed = "http_request_duration_seconds_count"
    assert value(after, timed, route=segment["route"]) >= 3
    routes = {labels["route"] for labels, _ in after["videoflix_http_requests_total"]}
    assert not [route for route in routes if "a-grant" in route or "nothing" in route]


def test_films_and_work_are_told_from_the_rows(
    app: APIFlask, client: FlaskClient, signed_in: FlaskClient, member: int, work: Work
) -> None:
    film = made_film(9, "640x360", "mpeg4").read_bytes()
    assert signed_in.post("/api/local-videos/", **multipart(film)).status_code == 201
    queued = scrape(client)
    assert value(queued, "films", status="processing") == 1
    assert value(queued, "tasks_waiting", kind="plan") == 1
    assert value(queued, "queue_jobs", queue="soon") == 1
    assert value(queued, "workers", queue="videos") == 0
    assert value(queued, "oldest_unplayable_seconds") > 0
    assert value(queued, "films_bytes") == len(film)
    assert "videoflix_work_waiting_seconds" not in queued  # no speed has been measured yet
    work()
    moment = now()
    failed = {"status": Status.FAILED, "error_code": "damaged"}
    quick = {"status": Status.READY, "created_at": moment - timedelta(seconds=100)}
    with app.app_context():
        upload = Upload(owner_id=member, name="u", title="u", length=100, received=30)
        upload.expires_at = now() + timedelta(hours=1)
        db.session.add(upload)
        db.session.commit()
    add_films(app, member, failed, failed, *[quick | {"playable_at": moment}] * 30)
    done = scrape(client)
    assert value(done, "films", status="ready") == 31
    assert value(done, "films", status="cancelled") == 0
    assert value(done, "films_failed", code="damaged") == 2
    assert value(done, "tasks_waiting") == value(done, "tasks_running") == 0
    assert value(done, "cells_waiting") == 0
    assert value(done, "cells_filled", kind="video") >= 4
    assert value(done, "cells_filled", kind="audio") >= 1
    assert value(done, "encode_pixels_per_second", rung="360p") > 1e4
    assert value(done, "work_waiting_seconds") == 0
    assert "videoflix_work_waiting_seconds" in done
    assert value(done, "time_to_playable_seconds", quantile="0.5") == pytest.approx(100)
    assert value(done, "uploads") == 1
    assert value(done, "uploads_expected_bytes") == 70
    assert value(done, "storage_reserve_bytes") == 1e6
    assert value(done, "storage_free_bytes") > 1e6
    assert {own["source"]: up for own, up in done["videoflix_source_up"]} == dict.fromkeys(
        ["films", "work", "queues", "storage"], 1.0
    )


def test_as_many_statements_whatever_there_is(
    app: APIFlask, client: FlaskClient, member: int
) -> None:
    def count() -> int:
        with statements(app) as said:
            scrape(client)
        return len(said)

    few = count()
    failed = [{"status": Status.FAILED, "error_code": code} for code in ("a", "b", "c")]
    add_films(app, member, *failed, *[{"playable_at": now()}] * 20)
    assert count() == few <= 10


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_part_that_is_away_is_told_and_the_others_stay(
    app: APIFlask, client: FlaskClient
) -> None:
    app.extensions["redis"].close()
    app.extensions["redis"] = Redis(unix_socket_path="/nowhere.sock")
    found = scrape(client)
    assert value(found, "source_up", source="queues") == 0
    assert value(found, "source_up", source="films") == 1
    assert "videoflix_queue_jobs" not in found
    assert "videoflix_films" in found


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_a_stream_serves_and_what_waits_is_counted(
    app: APIFlask,
    client: FlaskClient,
    signed_in: FlaskClient,
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(playback, "WAIT_SECONDS", 0.2)
    film = made_film().read_bytes()
    video_id = signed_in.post("/api/local-videos/", **multipart(film)).json["id"]
    work()
    before = scrape(client)
    base = signed_in.get(f"/api/videos/{video_id}/playback/").json["hls_url"]
    path = base.removeprefix("http://localhost").removesuffix("master.m3u8")
    signed_in.get(f"{path}master.m3u8")
    row = re.search(r"^(\w+)/index.m3u8$", signed_in.get(f"{path}master.m3u8").text, re.M)
    assert row
    signed_in.get(f"{path}{row[1]}/0.m4s").close()
    body = {"position": 1, "stalls": 2}
    assert signed_in.put(f"/api/videos/{video_id}/progress/", json=body).status_code == 204
    wrong = signed_in.put(f"/api/videos/{video_id}/progress/", json=body | {"stalls": -1})
    assert wrong.json["code"] == "invalid_input"
    after = scrape(client)

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert more("stream_answers_total", kind="playlist") == 2
    assert more("stream_answers_total", kind="segment") == 1
    assert more("player_stalls_total") == 2
    with app.app_context(), pytest.raises(Unavailable, match="being converted"):
        playback._await(lambda: False)
    later = scrape(client)
    assert value(later, "segment_waits_total", result="pending") == 1 + value(
        after, "segment_waits_total", result="pending"
    )
    assert value(later, "segment_waiters") == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("allow", "proxies", "peer", "headers", "status"),
    [
        ("127.0.0.1,::1", 0, "127.0.0.1", {}, 200),
        ("127.0.0.1,::1", 0, "::ffff:127.0.0.1", {}, 200),
        ("127.0.0.1", 0, "10.1.2.3", {}, 404),
        ("127.0.0.1,10.0.0.0/8", 0, "10.1.2.3", {}, 200),
        ("", 0, "127.0.0.1", {}, 200),  # unset: the default
        ("127.0.0.1", 0, "", {}, 404),  # a peer without an address
        # a header that anyone can send changes nothing, nor does a proxy nobody told us of
        ("127.0.0.1", 0, "203.0.113.9", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("127.0.0.1", 0, "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 404),
        ("127.0.0.1", 0, "127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 404),
        # behind one proxy, which adds the true client at the end
        ("127.0.0.1", 1, "127.0.0.1", {"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}, 404),
        ("203.0.113.9", 1, "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 200),
    ],
)
def test_only_those_who_may_are_told(
    settings: Settings, allow: str, proxies: int, peer: str, headers: Labels, status: int
) -> None:
    parsed = {f.name: f for f in dataclasses.fields(Settings)}["METRICS_ALLOW"]
    networks = parsed.metadata["parse"](allow) if allow else settings.METRICS_ALLOW
    app = create_app(dataclasses.replace(settings, METRICS_ALLOW=networks, TRUSTED_PROXIES=proxies))
    answer = app.test_client().get(
        "/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": peer}
    )
    assert answer.status_code == status
    if status == 404:
        assert answer.json["code"] == "not_found"
    with app.app_context():
        db.engine.dispose()


def of(site: Web) -> dict[str, list[tuple[Labels, float]]]:
    answer = site.ask("GET", "/metrics", plain=True)
    assert answer.status == 200, answer
    return read(answer.body.decode())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_processes_add_up_and_outlive_a_killed_one(
    app: APIFlask, member: int, tmp_path: Path
) -> None:
    token = write_token(app, member)
    folder = app.config["DATA_DIR"] / "run" / "metrics"
    old = folder / "elsewhere-1"
    old.mkdir(parents=True)
    asked = {"route": "/api/me/", "status": "200"}
    with serve(app, tmp_path / "web.log", token, workers=2) as site:
        answered = 0
        deadline = time.monotonic() + 60
        while _counting(folder) < 2:  # until both have had some
            assert time.monotonic() < deadline, "one process answers everything"
            assert site.ask("GET", "/api/me/").status == 200
            answered += 1
        assert value(of(site), "http_requests_total", **asked) == answered
        killed = site.workers[0]
        killed.kill()
        while killed.is_running() and killed.status() != "zombie":
            time.sleep(0.05)
        while len([worker for worker in site.workers if worker.pid != killed.pid]) < 2:
            assert time.monotonic() < deadline, "no process took its place"
            time.sleep(0.1)
        assert site.ask("GET", "/api/me/").status == 200
        assert value(of(site), "http_requests_total", **asked) == answered + 1
        assert not list(folder.glob(f"*/*_{killed.pid}.db"))
        spoofed = site.ask("GET", "/metrics", {"X-Forwarded-For": "127.0.0.1"}, plain=True)
        assert (spoofed.status, spoofed.code) == (404, "not_found")
    assert [path.name for path in folder.iterdir()] == [old.name]  # another machine's


def _counting(folder: Path) -> int:
    """How many processes have counted requests to the account."""
    return sum(b"/api/me/" in path.read_bytes() for path in folder.glob("*/counter_*.db"))
