"""`flask doctor` on a deployment whose parts are set up badly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from apiflask import APIFlask
from werkzeug.serving import make_server

from app import deployment
from app.database import db, now
from app.deployment import DEPLOYMENT, Sick
from app.videos.models import Video
from app.videos.names import new_film

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def said(app: APIFlask, name: str) -> str:
    with app.app_context():
        return DEPLOYMENT[name]()


def sick(app: APIFlask, name: str) -> str:
    with app.app_context(), pytest.raises(Sick) as caught:
        DEPLOYMENT[name]()
    return str(caught.value)


def test_clocks_that_differ_are_told(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(app, "clocks").startswith("0.")
    late = SimpleNamespace(time=lambda: time.time() - 90)
    monkeypatch.setattr(deployment, "time", late)
    assert "90 s apart" in sick(app, "clocks")


def test_an_old_database_is_told(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = {"sqlite": "SQLite 3.", "postgresql": "PostgreSQL "}
    with app.app_context():
        name = db.engine.dialect.name
    assert said(app, "server").startswith(kind[name])
    monkeypatch.setattr(deployment, "POSTGRESQL", 99)
    if name == "postgresql":
        assert "use 99 or later" in sick(app, "server")


def test_who_waits_for_long_is_told(app: APIFlask, member: int) -> None:
    assert said(app, "queue") == "nobody waits"
    with app.app_context():
        video = Video(owner_id=member, film=new_film(), title="x", size=1)
        db.session.add(video)
        db.session.commit()
        assert "longer than 0:0" in DEPLOYMENT["queue"]()
        video.created_at = now() - timedelta(minutes=30)
        db.session.commit()
    assert "waited for 30:0" in sick(app, "queue")
    assert "WORKERS" in sick(app, "queue")


@SQLITE
def test_a_redis_that_forgets_is_told(app: APIFlask) -> None:
    redis = app.extensions["redis"]
    assert said(app, "eviction").startswith("drops nothing, but forgets")
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "allkeys-lru" in sick(app, "eviction")
    finally:
        redis.config_set("maxmemory-policy", "noeviction")


@SQLITE
def test_an_address_that_leads_elsewhere_is_told(app: APIFlask) -> None:
    def stranger(_environment: Any, start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [("Content-Type", "application/json")])
        return [b"{}"]

    with served(app) as ours, served(stranger) as theirs:
        app.config |= {"EMBEDDED": True, "PUBLIC_URL": ours}
        assert said(app, "address") == f"{ours} answers"
        app.config["PUBLIC_URL"] = theirs
        assert "Something else answers" in sick(app, "address")
        app.config["EMBEDDED"] = False
        assert "not https" in sick(app, "address")
        app.config["PUBLIC_URL"] = ours.replace("http:", "https:")
        assert "certificate" in sick(app, "address")


@contextmanager
def served(site: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, site, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
