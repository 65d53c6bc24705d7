"""A wire between a browser and a site that can be slow, and cut."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from urllib.parse import urlsplit

BLOCK = 8192


class Wire:
    """A TCP proxy on a port of its own; `rate` bounds what browsers send, in bytes a second."""

    def __init__(self, site_url: str, rate: float) -> None:
        parts = urlsplit(site_url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.rate = rate
        self._cut = False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)  # else all fits in
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and let none through."""
        self._cut = True
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        self._cut = False

    def close(self) -> None:
        """End it."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                near.close()
                continue
            far = socket.create_connection(self._target)
            self._open |= {near, far}
            for source, target, slow in ((near, far, True), (far, near, False)):
                arguments = (source, target, slow)
                threading.Thread(target=self._carry, args=arguments, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, slow: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(BLOCK):
                if slow and len(data) == BLOCK:
                    time.sleep(len(data) / self.rate)
                target.sendall(data)
        for end in (source, target):
            self._open.discard(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
