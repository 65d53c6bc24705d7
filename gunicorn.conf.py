"""What gunicorn reads beside its command line: where its processes count (`app/metrics.py`).

Each web server has a folder of its own below DATA_DIR/run/metrics, named by machine and process:
several may share a DATA_DIR. It is emptied at the start, and folders that servers of this machine
left behind are removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from config import Settings


def _own_folder(parent: Path) -> Path:
    """The folder of this process: empty at its start, kept when it reads its settings again."""
    host = socket.gethostname()
    folder = parent / f"{host}-{os.getpid()}"
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR") == str(folder):
        return folder
    for old in parent.glob(f"{host}-*"):
        pid = int(old.name.rpartition("-")[2])
        if pid == os.getpid() or not _lives(pid):
            shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(
    _own_folder(Settings.load().DATA_DIR / "run" / "metrics")
)


def child_exit(_server: Any, worker: Any) -> None:
    """Take a dead worker's gauges away; what it counted stays counted, its files do not."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody reads them: the next end of a worker takes these along
        for kind in ("counter", "histogram"):
            for file in folder.glob(f"{kind}_[0-9]*.db"):
                if not _lives(int(file.stem.rpartition("_")[2])):
                    _add_up(file, folder / f"{kind}_ended.db")


def _add_up(file: Path, total: Path) -> None:
    """Move what one process counted into the file of all that have ended."""
    from prometheus_client.mmap_dict import MmapedDict

    ended = MmapedDict(str(total))
    for key, value, stamp, _ in MmapedDict.read_all_values_from_file(str(file)):
        ended.write_value(key, ended.read_value(key)[0] + value, stamp)
    ended.close()
    file.unlink()


def on_exit(_server: Any) -> None:
    """Leave nothing behind."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
