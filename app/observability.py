"""Logs and health: one line per request with an id, `/healthz` and `/readyz`.

The id comes from a well-formed `X-Request-ID` or is made here, stands in every log line of the
request and in the answer, and is handed to the jobs that the request starts.
"""

from __future__ import annotations

import contextvars
import json
import logging
import re
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from sqlalchemy import text

from app.extensions import db, redis_client

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")

Check = Callable[[], None]
"""A readiness check: returns when the part answers, raises when it does not."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_GRANT = re.compile(r"(/stream|/s|/api/shared)/[^/\s]+")
_MAIL_TOKEN = re.compile(r"/(activate|password_confirm|verify|reset-password)/([^/\s]+)/[^/\s]+")

health = Blueprint("health", __name__)
log = logging.getLogger("app.access")


class JsonFormatter(logging.Formatter):
    """One JSON object a line; control characters in a message stay escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "id": request_id.get(),
            "message": record.getMessage(),
        }
        line.update(getattr(record, "facts", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """One readable line; control characters are escaped so that input cannot forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        message = record.getMessage().encode("unicode_escape").decode("ascii")
        facts = " ".join(f"{k}={v!r}" for k, v in getattr(record, "facts", {}).items())
        stamp = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        line = f"{stamp} {record.levelname:<7} {request_id.get()} {message} {facts}".rstrip()
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def init_observability(app: Flask) -> None:
    """Set logging up and register the request hooks and health routes."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if app.config["LOG_FORMAT"] == "json" else TextFormatter())
    root = logging.getLogger("app")
    root.handlers[:] = [handler]
    root.setLevel(app.config["LOG_LEVEL"])
    root.propagate = app.testing  # pytest reads what propagates
    app.extensions["readiness"] = {"database": _check_database, "redis": _check_redis}
    app.register_blueprint(health)

    @app.before_request
    def _start() -> None:
        given = request.headers.get("X-Request-ID", "")
        request_id.set(given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8))
        g.started = time.perf_counter()

    @app.after_request
    def _finish(response: Response) -> Response:
        response.headers["X-Request-ID"] = request_id.get()
        facts = {
            "method": request.method,
            "path": without_secrets(request.path),
            "status": response.status_code,
            "ms": round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000, 1),
            "address": request.remote_addr,
        }
        log.info("request", extra={"facts": facts})
        return response


def without_secrets(path: str) -> str:
    """A path, or a text with paths in it: grants, share keys and mailed tokens are taken out."""
    return _MAIL_TOKEN.sub(r"/\1/\2/…", _GRANT.sub(r"\1/…", path))


def add_readiness_check(app: Flask, name: str, check: Check) -> None:
    """Let `/readyz` and `flask doctor` ask one more part."""
    app.extensions["readiness"][name] = check


def readiness() -> dict[str, str]:
    """Ask every part: name → "ok" or what is wrong, in words without secrets."""
    found: dict[str, str] = {}
    for name, check in current_app.extensions["readiness"].items():
        try:
            check()
            found[name] = "ok"
        except Exception as error:
            logging.getLogger(__name__).warning("not ready: %s", name, exc_info=error)
            found[name] = f"not available ({type(error).__name__})"
    return found


@health.get("/healthz")
def healthz() -> Response:
    """Say that the process lives."""
    return jsonify(status="ok")


@health.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Say whether every part that a request needs answers; 503 if one does not."""
    parts = readiness()
    ready = all(state == "ok" for state in parts.values())
    return jsonify(status="ok" if ready else "not ready", parts=parts), 200 if ready else 503


def _check_database() -> None:
    db.session.execute(text("SELECT 1"))
    db.session.rollback()


def _check_redis() -> None:
    redis_client().ping()
