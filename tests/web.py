"""The site under a real gunicorn, and a raw HTTP client that says exactly what a test wants."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
from apiflask import APIFlask

from app.auth import api_tokens
from app.auth.models import Scope, User
from app.database import db

UPLOADS = "/api/uploads/"
CHUNK = "application/offset+octet-stream"

SETTINGS = (
    "DATA_DIR", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "MIN_FREE_BYTES", "MAX_UPLOAD_BYTES",
    "USER_QUOTA_BYTES", "UPLOAD_HOURS", "CORS_ORIGINS", "TRUSTED_PROXIES",
    "STORAGE", "S3_BUCKET", "S3_ENDPOINT", "S3_PREFIX", "S3_ACCESS_KEY", "S3_SECRET_KEY",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem+json."""
        return str(self.json["code"])


@dataclasses.dataclass
class Web:
    """A running site, and the API token with which `ask` speaks to it."""

    port: int
    process: psutil.Process
    token: str

    @property
    def workers(self) -> list[psutil.Process]:
        return list(self.process.children())

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=60)

    def headers(self, token: str | None = None) -> dict[str, str]:
        """What every tus request of this person carries."""
        return {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {token or self.token}"}

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        *,
        plain: bool = False,
        token: str | None = None,
    ) -> Answer:
        """One request on a connection of its own; `plain` leaves all usual headers out."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(
                method,
                path,
                body,
                {**({} if plain else self.headers(token)), **(headers or {})},
                encode_chunked=body is not None and not isinstance(body, bytes),
            )
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def create(self, length: int, token: str | None = None, **metadata: str) -> str:
        """Begin an upload; its path."""
        answer = self.ask("POST", UPLOADS, creation(length, **metadata), token=token)
        assert answer.status == 201, answer
        return answer.headers["Location"]

    def send(self, path: str, offset: int, data: bytes | Iterable[bytes], **headers: str) -> Answer:
        """The next bytes; an iterable goes in chunks, without a length."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        if not isinstance(data, bytes):
            more["Transfer-Encoding"] = "chunked"
        given = {"Upload-Offset": str(offset), "Content-Type": CHUNK, **more}
        return self.ask("PATCH", path, given, data)

    def offset(self, path: str) -> int:
        answer = self.ask("HEAD", path)
        assert answer.status == 200, answer
        return int(answer.headers["Upload-Offset"])

    @contextlib.contextmanager
    def half_sent(self, path: str, offset: int, data: bytes, length: int) -> Iterator[Any]:
        """A request that promised `length` bytes, has sent `data`, and is still open."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers().items())
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(
                f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}Content-Type: {CHUNK}\r\n"
                f"Upload-Offset: {offset}\r\nContent-Length: {length}\r\n\r\n".encode()
            )
            connection.sendall(data)
            yield connection


def creation(length: int, **metadata: str) -> dict[str, str]:
    """The headers that begin an upload."""
    pairs = [f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in metadata.items()]
    return {"Upload-Length": str(length), "Upload-Metadata": ",".join(pairs)}


def write_token(app: APIFlask, user_id: int) -> str:
    """An API token that may write."""
    with app.app_context():
        _, secret = api_tokens.create(db.session.get_one(User, user_id), "test", Scope.WRITE)
        db.session.commit()
        return secret


@contextlib.contextmanager
def serve(app: APIFlask, log: Path, token: str = "", workers: int = 1) -> Iterator[Web]:
    """The site of this application under gunicorn, with the settings that it has now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    given = {name: app.config[name] for name in SETTINGS}
    given["CORS_ORIGINS"] = ",".join(given["CORS_ORIGINS"])
    environment = {**os.environ, **{name: str(value) for name, value in given.items()}}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "wsgi:app", "--worker-class", "gthread",
             "--workers", str(workers), "--threads", "16", "--bind", f"127.0.0.1:{port}",
             "--no-control-socket"],
            env={**environment, "PUBLIC_URL": f"http://127.0.0.1:{port}"},
            stdout=output,
            stderr=output,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield Web(port, psutil.Process(process.pid), token)
    finally:
        process.terminate()
        process.wait(20)
