"""Errors reported to a server that plays a Sentry, from requests and from jobs."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from config import Settings, SettingsError

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SITE = """
import logging, os
from flask import request
from app import create_app
from app.observability import request_id
from app.reporting import send_reports

app = create_app()

@app.get("/stream/<grant>/oops")
def oops(grant):
    secret = "local-secret"
    raise RuntimeError(f"no such file: {request.path} of {secret[:0]}nobody")

app.test_client().get(
    "/stream/grant-secret/oops?key=query-secret",
    headers={
        "X-Request-ID": "evening-7",
        "Authorization": "Bearer bearer-secret",
        "Cookie": "access_token=cookie-secret",
        "X-Forwarded-For": "203.0.113.9",
    },
)
logging.getLogger("app").warning("this is no error")
send_reports()
child = os.fork()
if child == 0:
    request_id.set("evening-8")
    logging.getLogger("app.tasks").error("task failed at /s/share-secret/x")
    send_reports()
    os._exit(0)
os.waitpid(child, 0)
send_reports()
"""
"""A site of which a page and a job go wrong."""


@pytest.fixture
def ingest() -> Iterator[tuple[str, list[Any]]]:
    """A DSN, and the events that were reported there."""
    events: list[Any] = []

    class Ingest(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            lines = [json.loads(line) for line in body.splitlines()]
            for head, item in zip(lines[1::2], lines[2::2], strict=True):
                if head["type"] == "event":
                    events.append(item)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ingest)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://public@127.0.0.1:{server.server_port}/1", events
    server.shutdown()
    thread.join()
    server.server_close()


def test_errors_of_pages_and_jobs_are_reported_without_anyones_data(
    settings: Settings, ingest: tuple[str, list[Any]]
) -> None:
    dsn, events = ingest
    given = {
        "DATA_DIR": str(settings.DATA_DIR),
        "EMBEDDED": "1",
        "SECRET_KEY": settings.SECRET_KEY,
        "PUBLIC_URL": "http://localhost",
        "SENTRY_DSN": dsn,
    }
    done = subprocess.run(
        [sys.executable, "-c", SITE],
        env={**os.environ, **given},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    page, job = sorted(events, key=lambda event: event["tags"]["request_id"])
    assert page["tags"]["request_id"] == "evening-7"
    assert page["transaction"] == "GET /stream/<grant>/oops"
    error = page["exception"]["values"][-1]
    assert error["type"] == "RuntimeError"
    assert error["value"] == "no such file: /stream/…/oops of nobody"
    assert error["stacktrace"]["frames"][-1]["function"] == "oops"
    assert job["tags"]["request_id"] == "evening-8"
    assert job["logentry"]["message"] == "task failed at /s/…/x"
    told = json.dumps(events)
    assert "secret" not in told
    assert "203.0.113.9" not in told


def test_without_the_package_the_start_stops_with_a_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    dsn = "https://key@sentry.example.org/1"
    with pytest.raises(SettingsError, match=r"pip install .*sentry-sdk"):
        create_app(replace(settings, SENTRY_DSN=dsn))
    create_app(settings)  # nobody else needs it
    with pytest.raises(SettingsError, match="SENTRY_DSN must be an address") as caught:
        Settings.load({"SENTRY_DSN": "sentry.example.org/secret"}, env_file=None)
    assert "secret" not in str(caught.value)
