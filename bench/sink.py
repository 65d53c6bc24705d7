"""The least that a web process can do with an upload: read it, write it, sync it, answer.

A bare WSGI application, served by `bench.upload` under the site's own gunicorn settings. The folder
is in the environment as SINK.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

BLOCK = 1 << 16
"""What Werkzeug's form parser reads at a time."""


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Take a body of known length; the file is gone when the answer leaves."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    with tempfile.TemporaryFile(dir=os.environ["SINK"], buffering=0) as file:
        while left and (block := environ["wsgi.input"].read(min(left, BLOCK))):
            file.write(block)
            left -= len(block)
        os.fsync(file.fileno())
    body = b'{"id": 0}'
    start_response("201 Created", [("Content-Length", str(len(body)))])
    return [body]
