"""Hosts in network namespaces of their own: each reaches the shared parts over one link."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from app.database import DEAD_LINKS

DEAD = {
    socket.TCP_KEEPIDLE: "tcp_keepalives_idle",
    socket.TCP_KEEPINTVL: "tcp_keepalives_interval",
    socket.TCP_KEEPCNT: "tcp_keepalives_count",
    socket.TCP_USER_TIMEOUT: "tcp_user_timeout",
}


class Forwarder:
    """Passes TCP connections on, so that a part of this machine is at an address of a link.

    It gives dead ones up as PostgreSQL does that was asked to (`app.database`): there is none here
    that would listen to TCP itself.
    """

    def __init__(self, address: str, to: str | tuple[str, int]) -> None:
        self._to = to
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        begun = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._pass_on, address, 0), self._loop
        )
        self._server = begun.result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line: socket.socket = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, name in DEAD.items():
            line.setsockopt(socket.IPPROTO_TCP, option, DEAD_LINKS[name])
        with contextlib.suppress(OSError, asyncio.CancelledError):
            if isinstance(self._to, str):
                there, back = await asyncio.open_unix_connection(self._to)
            else:
                there, back = await asyncio.open_connection(*self._to)
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@dataclass
class Host:
    """A machine with one link."""

    name: str
    link: str
    gateway: str
    parts: list[Forwarder] = field(default_factory=list)

    def offer(self, to: str | tuple[str, int]) -> str:
        """Let the host reach this; its `address:port` there."""
        self.parts.append(Forwarder(self.gateway, to))
        return f"{self.gateway}:{self.parts[-1].port}"

    def cut(self) -> None:
        ip("link", "set", self.link, "down")

    def mend(self) -> None:
        ip("link", "set", self.link, "up")

    def run(
        self, words: list[str], environment: dict[str, str], output: int
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, *words],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


@contextlib.contextmanager
def host() -> Iterator[Host]:
    """A host for a while; skips where there may be none."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    mark = secrets.token_hex(3)
    name, link, inner = f"vf-{mark}", f"vf{mark}", f"vi{mark}"
    net = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(250)}"
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there can be no network namespaces here")
    found = Host(name, link, f"{net}.1")
    try:
        try:
            ip("link", "add", link, "type", "veth", "peer", "name", inner, "netns", name)
        except subprocess.CalledProcessError:
            pytest.skip("there can be no links to network namespaces here")
        ip("addr", "add", f"{net}.1/30", "dev", link)
        ip("link", "set", link, "up")
        ip("-n", name, "addr", "add", f"{net}.2/30", "dev", inner)
        ip("-n", name, "link", "set", inner, "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield found
    finally:
        for part in found.parts:
            part.close()
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("netns", "del", name)
        subprocess.run(["ip", "link", "del", link], capture_output=True)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def socket_of(database_url: str) -> str | tuple[str, int]:
    """Where a PostgreSQL listens."""
    parts = urlsplit(database_url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    if folder:
        return f"{folder}/.s.PGSQL.{parts.port or 5432}"
    return parts.hostname or "127.0.0.1", parts.port or 5432
