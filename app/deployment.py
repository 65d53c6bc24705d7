"""What `flask doctor` asks of a deployment: that its parts are set up for each other.

Each check returns what it found, or raises Sick with a sentence that says what to do.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import cast

from flask import current_app
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.database import db, epoch_now
from app.extensions import redis_client
from app.formatting import duration
from app.videos.gauges import oldest_unplayable
from app.videos.models import Task, TaskState

SKEW_SECONDS = 5.0
"""Leases use the database's clock, what people read the machine's: so far apart nobody notices."""

PATIENCE_SECONDS = 15 * 60
"""A film whose first picture is not there by then waits for workers that are missing."""

POSTGRESQL = 14
"""Oldest major version that its makers still mend."""

ANSWER_SECONDS = 10


class Sick(Exception):
    """A part does not work; the text says what to do."""


def _clocks() -> str:
    try:
        before = time.time()
        theirs = cast("float", db.session.scalar(select(epoch_now())))
        apart = theirs - (before + time.time()) / 2
        db.session.rollback()
    except SQLAlchemyError:
        raise Sick("Unknown while the database is away.") from None
    if abs(apart) > SKEW_SECONDS:
        raise Sick(
            f"This machine and the database are {abs(apart):.0f} s apart; let both keep the time "
            "with NTP (`timedatectl set-ntp true`)."
        )
    return f"{abs(apart):.1f} s between this machine and the database"


def _server() -> str:
    try:
        with db.engine.connect() as connection:
            found = cast("tuple[int, ...]", connection.dialect.server_version_info or (0,))
    except SQLAlchemyError:
        raise Sick("Unknown while the database is away.") from None
    text = ".".join(map(str, found))
    if db.engine.dialect.name != "postgresql":
        return f"SQLite {text}: right for one machine, PostgreSQL for more"
    if found[0] < POSTGRESQL:
        raise Sick(f"PostgreSQL {text} is too old; use {POSTGRESQL} or later.")
    return f"PostgreSQL {text}"


def _queue() -> str:
    """Nobody waits for long: not before a screen, not for a new film's first picture."""
    try:
        first = oldest_unplayable()
        wanted = db.session.scalar(
            select(epoch_now() - func.min(Task.wanted_at)).where(Task.state == TaskState.WAITING)
        )
        db.session.rollback()
    except SQLAlchemyError:
        raise Sick("Unknown while the database is away.") from None
    longest = max(first, wanted or 0.0)
    if longest > PATIENCE_SECONDS:
        raise Sick(
            f"Somebody has waited for {duration(longest)}; start more workers "
            "(WORKERS, `flask --app wsgi worker`), or look into their log."
        )
    return f"nobody has waited longer than {duration(longest)}" if longest else "nobody waits"


def _redis_memory() -> str:
    """Redis must refuse rather than forget: what it drops are jobs and limits."""
    try:
        memory = cast("dict[str, object]", redis_client().info("memory"))
        kept = cast("dict[str, object]", redis_client().info("persistence"))
    except RedisError:
        raise Sick("Unknown while Redis is away.") from None
    policy = str(memory.get("maxmemory_policy", "unknown"))
    if policy != "noeviction":
        raise Sick(
            f"Redis drops keys when it is full ({policy}): jobs and limits get lost. "
            "Set `maxmemory-policy noeviction`."
        )
    if kept.get("aof_enabled"):
        return "drops nothing, keeps its queue over a restart"
    return (
        "drops nothing, but forgets its queue on a restart; set `appendonly yes`, "
        "or live with fifteen seconds until work is announced again"
    )


def _public_url() -> str:
    address = current_app.config["PUBLIC_URL"]
    if not address.startswith("https://") and not current_app.config["EMBEDDED"]:
        raise Sick("PUBLIC_URL is not https: passwords would travel in the open.")
    try:
        request = urllib.request.Request(  # noqa: S310 - the settings take http and https only
            f"{address}/healthz", headers={"User-Agent": "Videoflix doctor"}
        )
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            healthy = json.loads(answer.read(1000)) == {"status": "ok"}
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Sick(
            f"{address} does not answer as this site does ({reason}); check that the web server "
            "runs, and PUBLIC_URL, DNS, the certificate and the proxy in front."
        ) from None
    if not healthy:
        raise Sick(f"Something else answers at {address}; check PUBLIC_URL, DNS and the proxy.")
    return f"{address} answers"


DEPLOYMENT: dict[str, Callable[[], str]] = {
    "clocks": _clocks,
    "server": _server,
    "queue": _queue,
    "eviction": _redis_memory,
    "address": _public_url,
}
"""The checks by name."""
