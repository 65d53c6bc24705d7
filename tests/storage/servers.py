"""Real S3 servers on loopback: `rclone serve s3`, and moto's as a second one."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.storage.bucket import Account, Bucket

KEY, SECRET = "test-key", "test-secret-0123456789"
BUCKET = "films"
RCLONE = str(Path(sys.executable).with_name("rclone"))


@dataclass
class Server:
    """A server that can be stopped, and started again with what it held."""

    command: list[str]
    host: str = "127.0.0.1"
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self.port}"

    def account(self, *, secret: str = SECRET, bucket: str = BUCKET) -> Account:
        return Account(bucket, self.endpoint, "us-east-1", KEY, secret)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [part.format(host=self.host, port=self.port) for part in self.command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection((self.host, self.port), timeout=1).close()
                return
            assert self.process.poll() is None, "the S3 server did not start"
            assert time.monotonic() < deadline, "the S3 server did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def rclone(host: str = "127.0.0.1", port: int = 0) -> Iterator[Server]:
    """`rclone serve s3` on a folder that has the bucket."""
    root = Path(tempfile.mkdtemp(prefix="vf-s3-"))
    (root / BUCKET).mkdir()
    command = [
        RCLONE, "serve", "s3", "--addr", "{host}:{port}", "--auth-key", f"{KEY},{SECRET}",
        "--allow-origin", "*", "--config", "/dev/null", str(root),
    ]  # fmt: skip
    server = Server(command, host, port or free_port(host))
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def moto() -> Iterator[Server]:
    """moto's server, with the bucket."""
    command = [sys.executable, "-m", "moto.server", "-H", "{host}", "-p", "{port}"]
    server = Server(command, port=free_port("127.0.0.1"))
    server.start()
    try:
        Bucket(server.account())._client.create_bucket(Bucket=BUCKET)
        yield server
    finally:
        server.stop()


def free_port(host: str) -> int:
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])
