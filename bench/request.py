"""`request`: the processor time of one signed-in request, and of the parts that it passes.

Everything happens in this process, below the web server, so that neither its threads nor other work
on the machine count: each figure is the least of several rounds.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from apiflask import APIFlask
from flask import Flask
from sqlalchemy import select
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app.auth import sessions
from app.auth.models import Session, User
from app.database import db, start_reading
from app.videos import queries, viewings
from app.videos.facts import facts_of
from app.videos.models import GridRole, Video
from bench import bare
from bench.accounts import UNLIMITED
from bench.catalogue import full_catalogue
from bench.report import Figure
from bench.site import EMAIL, PASSWORD, Site, running_site

ROUNDS = 7
TIMES = 200
"""In each of ROUNDS."""
LENGTHS = (1, 20)
"""Films of a list."""
PATHS = ("/api/local-videos/?limit=20", "/api/global-videos/?limit=20")


def measure() -> Iterator[Figure]:
    """Whole requests, then what the longer list asks of the database."""
    with running_site(workers=0, settings=UNLIMITED) as site:
        yield _figure("a bare Flask answer", _asking(bare.app, "/"))
        for films in LENGTHS:
            yield from _requests(site, films)


def _requests(site: Site, films: int) -> Iterator[Figure]:
    with full_catalogue(site, UNLIMITED | {"LOG_LEVEL": "INFO"}, films) as app:
        with Path(os.devnull).open("w") as nowhere:
            for handler in logging.getLogger("app").handlers:
                assert isinstance(handler, logging.StreamHandler)  # noqa: S101 - the only one
                handler.setStream(nowhere)
            cookie = _sign_in(app)
            for path in PATHS:
                yield _figure(f"GET {path}, films: {films}", _asking(app, path, cookie))
        if films == max(LENGTHS):
            yield from _parts(app, films)


def _parts(app: APIFlask, films: int) -> Iterator[Figure]:
    with app.app_context():
        start_reading()
        session_id, user_id = db.session.execute(select(Session.id, Session.user_id)).one()
        ids = list(db.session.scalars(select(Video.id)))
        user = db.session.get_one(User, user_id)
        found = queries.owned(user, limit=films).videos
        roles = (GridRole.CURRENT, GridRole.NEXT)
        parts: dict[str, Callable[[], object]] = {
            "session and account": lambda: sessions.find_api(session_id, user_id),
            "the films": lambda: queries.owned(user, limit=films),
            "their renditions": lambda: queries.rows_of(ids, roles),
            "their facts, renditions included": lambda: facts_of(found),
            "what they are to the member": lambda: viewings.remembered(user_id, ids),
        }
        for name, part in parts.items():
            yield _figure(f"{name}, films: {films}", part)


def _sign_in(app: APIFlask) -> str:
    client = app.test_client()
    answer = client.post("/api/login/", json={"email": EMAIL, "password": PASSWORD})
    if answer.status_code != 200:
        raise RuntimeError(f"the sign-in failed: {answer.text}")
    return "; ".join(one.split(";")[0] for one in answer.headers.getlist("Set-Cookie"))


def _asking(app: Flask, path: str, cookie: str = "") -> Callable[[], None]:
    environ = EnvironBuilder(path, headers=[("Cookie", cookie)]).get_environ()

    def ask() -> None:
        _, status, _ = run_wsgi_app(app.wsgi_app, dict(environ), buffered=True)
        if not status.startswith("200"):
            raise RuntimeError(f"GET {path}: {status}")

    return ask


def _figure(what: str, work: Callable[[], object]) -> Figure:
    runs = [_microseconds(work) for _ in range(ROUNDS)]
    note = f"least of {ROUNDS} times {TIMES}"
    return Figure("request", what, min(runs), "µs", None, note, {"own CPU µs": runs})


def _microseconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(TIMES):
        work()
    return 1e6 * (time.process_time() - began) / TIMES
