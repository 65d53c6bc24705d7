"""The web server of a deployment: `gunicorn -c deploy/gunicorn.conf.py wsgi:app`, behind nginx."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

bind = "unix:/run/videoflix/web.sock"
umask = 0o007  # of the socket: nginx is in our group, and nobody else asks past it

# Threads, since most requests wait: for the database, a slow body, a cell that is being filled.
worker_class = "gthread"
workers = 2
threads = 16
timeout = 60

# On SIGTERM requests in hand may end; supervisor and systemd wait a little longer than this. What
# is cut then goes on by itself: uploads from their last byte, players from their last segment.
graceful_timeout = 30

keepalive = 75  # longer than nginx keeps its side of a line
worker_tmp_dir = "/dev/shm"  # noqa: S108 - a heartbeat must not wait for a disk
control_socket_disable = True
accesslog = None  # the application logs each request, with its id

_ROOT = Path(__file__).parents[1]

# Where its processes count what `/metrics` tells is the same however it is started.
_counting = runpy.run_path(str(_ROOT / "gunicorn.conf.py"))
child_exit, on_exit = _counting["child_exit"], _counting["on_exit"]

# Run, not imported: the first process must not hold modules of a release that ends with a reload.
_die_with_parent = runpy.run_path(str(_ROOT / "app" / "tasks" / "parent.py"))["die_with_parent"]


def post_fork(server: Any, _worker: Any) -> None:
    """End with the first process, before anything else can happen.

    One that outlives it while it starts stumbles over its closed log, takes itself for the first
    process, and removes the socket on which the next one listens already.
    """
    _die_with_parent(server.pid)
