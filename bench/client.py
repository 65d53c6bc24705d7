"""A program that uses a site over its JSON API, on a connection that stays open."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

POLL_SECONDS = 0.02
FAR_POLL_SECONDS = 0.5
NEAR_SHARE = 0.75
"""From this progress on, the end of a conversion is looked for often; before, rarely: asking costs
the workers a few milliseconds."""
BLOCK = 1 << 20
KEPT_SECONDS = 5.0
"""A connection that was silent for longer is not used again: gunicorn closes it after 10 s."""

Film = dict[str, Any]
"""A film as `GET /api/videos/ID/` describes it."""


class Refused(RuntimeError):
    """An answer that says what went wrong."""

    def __init__(self, request: str, status: int, text: bytes) -> None:
        super().__init__(f"{request}: {status} {text[:500]!r}")
        self.status = status


class Client:
    """One signed-in account."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=600)
        self._answered = 0.0
        self.location = ""
        self._cookies: dict[str, str] = {}

    def twin(self) -> Client:
        """The same session on a connection of its own."""
        other = Client(self._connection.host, self._connection.port)
        other._cookies = dict(self._cookies)
        return other

    def close(self) -> None:
        """Close the connection; the next request would open another."""
        self._connection.close()

    def cookies(self) -> str:
        """The session, as the value of a Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def sign_in(self, email: str, password: str) -> None:
        """Sign in; the cookies are kept."""
        body = json.dumps({"email": email, "password": password}).encode()
        self.ask("POST", "/api/login/", [body], len(body), "application/json")

    def film(self, film_id: int) -> Film:
        """A film's state. Raises RuntimeError when its conversion failed."""
        found: Film = self.ask("GET", f"/api/videos/{film_id}/")
        if found["status"] == "failed":
            raise RuntimeError(f"the conversion failed: {found['error']}")
        return found

    def stream(self, film_id: int) -> str:
        """The path below which the film's rows are: `…/ROW/init.mp4`, `…/ROW/0.m4s`."""
        playback = self.ask("GET", f"/api/videos/{film_id}/playback/")
        return urlsplit(str(playback["hls_url"])).path.removesuffix("/master.m3u8")

    def delete(self, film_id: int) -> None:
        """Delete a film."""
        self.ask("DELETE", f"/api/local-videos/{film_id}/")

    def upload(self, path: Path) -> tuple[int, float]:
        """Upload a film; its id, and the moment (time.monotonic) when the answer had come."""
        return self.upload_blocks(_blocks(path), path.stat().st_size, path.name)

    def upload_blocks(self, blocks: Iterable[bytes], size: int, name: str) -> tuple[int, float]:
        """Upload `size` bytes that come in blocks, as a multipart form."""
        boundary = secrets.token_hex(16)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        answer = self.ask(
            "POST",
            "/api/local-videos/",
            _chain(head, blocks, tail),
            len(head) + size + len(tail),
            f"multipart/form-data; boundary={boundary}",
        )
        return int(answer["id"]), time.monotonic()

    def upload_in_pieces(self, blocks: Iterable[bytes], size: int, name: str) -> tuple[int, float]:
        """Upload `size` bytes that come in blocks, by tus, with one request for all of them."""
        encoded = base64.b64encode(name.encode()).decode()
        version = {"Tus-Resumable": "1.0.0"}
        self.fetch(
            "/api/uploads/",
            "POST",
            headers={
                **version,
                "Upload-Length": str(size),
                "Upload-Metadata": f"filename {encoded}",
            },
        )
        self.fetch(
            urlsplit(self.location).path,
            "PATCH",
            blocks,
            size,
            "application/offset+octet-stream",
            headers={**version, "Upload-Offset": "0"},
        )
        moment = time.monotonic()
        found = self.ask("GET", "/api/uploads/")
        return int(found[0]["video_id"]), moment

    def wait(
        self, film_id: int, reached: Callable[[Film], bool], *, closely: bool, limit: float = 900
    ) -> tuple[Film, float]:
        """Ask until the film is as wished, every POLL_SECONDS (`closely`, or near the end) or
        every FAR_POLL_SECONDS; the film, and the moment of the answer that said so."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            due = time.monotonic()
            found = self.film(film_id)
            moment = time.monotonic()
            if reached(found):
                return found, moment
            often = closely or found["progress"] >= NEAR_SHARE
            due += POLL_SECONDS if often else FAR_POLL_SECONDS
            time.sleep(max(0.0, due - time.monotonic()))
        raise TimeoutError(f"film {film_id} is not there after {limit:.0f} s")

    def ask(
        self,
        method: str,
        path: str,
        body: Iterable[bytes] = (),
        size: int = 0,
        content_type: str = "",
    ) -> Any:
        """One request; what the JSON of its answer says. Raises Refused for an error."""
        text = self.fetch(path, method, body, size, content_type)
        return json.loads(text) if text else None

    def fetch(
        self,
        path: str,
        method: str = "GET",
        body: Iterable[bytes] = (),
        size: int = 0,
        content_type: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """One request; the bytes of its answer. Raises Refused for an error."""
        if time.monotonic() > self._answered + KEPT_SECONDS:
            self.close()
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        if self._cookies:
            self._connection.putheader("Cookie", self.cookies())
        if size:
            self._connection.putheader("Content-Type", content_type)
            self._connection.putheader("Content-Length", str(size))
        for name, value in (headers or {}).items():
            self._connection.putheader(name, value)
        if method == "POST" and not size:
            self._connection.putheader("Content-Length", "0")
        self._connection.endheaders()
        for block in body:
            self._connection.send(block)
        answer = self._connection.getresponse()
        text = answer.read()
        self._answered = time.monotonic()
        self.location = answer.getheader("Location", "")
        if answer.status >= 400:
            raise Refused(f"{method} {path}", answer.status, text)
        for line in answer.headers.get_all("Set-Cookie") or []:
            self._cookies |= {name: item.value for name, item in SimpleCookie(line).items()}
        return text


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _chain(head: bytes, blocks: Iterable[bytes], tail: bytes) -> Iterator[bytes]:
    yield head
    yield from blocks
    yield tail
