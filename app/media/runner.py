"""Runs ffmpeg in its cage: limits, watchdog, own process group, nothing left behind."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.media import landlock
from app.media.errors import MediaError, Stopped

log = logging.getLogger(__name__)

LAUNCHER: Final = Path(__file__).with_name("launch.py")
POLL_SECONDS: Final = 0.25
STDERR_LIMIT: Final = 6_000
READ_SIZE: Final = 1 << 16
ENVIRONMENT: Final = {"LC_ALL": "C", "MALLOC_ARENA_MAX": "4"}
"""No secret of ours reaches ffmpeg. glibc would reserve 64 MB of address space a thread."""
KEPT: Final = ("PATH", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Limits:
    """What one process may use: CPU seconds, bytes of address space, bytes per file, open files."""

    cpu_seconds: int = 3_600
    memory: int = 2 << 30
    file_bytes: int = 8 << 30
    open_files: int = 64


@dataclass(frozen=True)
class Finished:
    """How a process ended: ``returncode`` is negative for a signal, times are in seconds."""

    returncode: int
    stderr_tail: str
    seconds: float
    cpu_seconds: float
    command: str

    @property
    def log(self) -> str:
        """The command and its last words, for an operator."""
        return f"$ {self.command}\n{self.stderr_tail}\nexit {self.returncode}"


def run(
    argv: Sequence[str],
    *,
    limits: Limits,
    wall_seconds: float,
    stall_seconds: float,
    stop: Callable[[], bool],
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    stdout: Callable[[bytes], None] | None = None,
    stage: str = "video",
    about: str = "",
    door: Path = LAUNCHER,
) -> Finished:
    """Run ``argv`` (an ffmpeg command) to its end; ``stdout`` is handed its bytes as they come.

    Where the kernel has Landlock it can read the files in ``reads`` and its own libraries, write
    below the folders in ``writes``, and reach nothing else. ``door`` is the script that enters the
    cage: the launcher, which becomes ``argv``, or another that does its work in there itself.
    ``about`` says in the log what the run is for: its rows and chunk.

    Raises Stopped, or MediaError ``hung`` when the wall clock or the stall watch ran out. A
    non-zero exit is *not* raised: the caller knows what it means. Whatever is raised, inside or
    by a signal handler such as RQ's timeout, the whole process group is dead on return.
    """
    events = stream(
        argv,
        limits=limits,
        wall_seconds=wall_seconds,
        stall_seconds=stall_seconds,
        stop=stop,
        reads=reads,
        writes=writes,
        want_stdout=stdout is not None,
        stage=stage,
        about=about,
        door=door,
    )
    with contextlib.closing(events):
        while True:
            try:
                data = next(events)
            except StopIteration as end:
                finished: Finished = end.value
                return finished
            if stdout is not None:
                stdout(data)


def stream(
    argv: Sequence[str],
    *,
    limits: Limits,
    wall_seconds: float,
    stall_seconds: float,
    stop: Callable[[], bool],
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    want_stdout: bool = True,
    stage: str = "audio",
    about: str = "",
    door: Path = LAUNCHER,
) -> Generator[bytes, None, Finished]:
    """Like ``run``, as a generator of stdout; closing it kills the process.

    The time the consumer takes between two items does not count as a stall.
    """
    ruleset = landlock.open_ruleset(
        program=Path(argv[0]) if door == LAUNCHER else None, reads=reads, writes=writes
    )
    rules = {
        "parent": os.getpid(),
        "cpu": limits.cpu_seconds,
        "memory": limits.memory,
        "file": limits.file_bytes,
        "files": limits.open_files,
        "landlock": ruleset,
    }
    began = time.monotonic()
    cpu_before = _children_cpu()
    progress_read, progress_write = os.pipe()
    kept = [progress_write] if ruleset is None else [progress_write, ruleset]
    command = list(argv)
    if door == LAUNCHER:
        command[1:1] = ["-progress", f"pipe:{progress_write}", "-stats_period", "0.5"]
    try:
        process = subprocess.Popen(  # noqa: S603 - our own argument list, no shell
            [sys.executable, "-I", "-S", str(door), json.dumps(rules), "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if want_stdout else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=kept,
            start_new_session=True,
            env=ENVIRONMENT | {name: os.environ[name] for name in KEPT if name in os.environ},
        )
    except BaseException:
        os.close(progress_read)
        raise
    finally:
        for descriptor in kept:
            os.close(descriptor)
    program = "ffmpeg" if door == LAUNCHER else door.stem
    facts = {"stage": stage, "about": about, "pid": process.pid}
    log.info("%s starts", program, extra={"facts": facts})
    tail = bytearray()
    try:
        watch = _Watch(process, progress_read, tail, wall_seconds, stall_seconds, stop, stage)
        yield from watch.follow()
    finally:
        _end(process)
        os.close(progress_read)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        ended = {"exit": process.returncode, "seconds": round(time.monotonic() - began, 2)}
        log.info("%s ended", program, extra={"facts": facts | ended})
    return Finished(
        returncode=process.returncode,
        stderr_tail=tail.decode("utf-8", "replace"),
        seconds=time.monotonic() - began,
        cpu_seconds=_children_cpu() - cpu_before,
        command=shlex.join(argv),
    )


class _Watch:
    """Follows one process until it has closed its pipes and ended, or its time is up."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        progress: int,
        tail: bytearray,
        wall_seconds: float,
        stall_seconds: float,
        stop: Callable[[], bool],
        stage: str,
    ) -> None:
        self.process, self.progress, self.tail = process, progress, tail
        self.deadline = time.monotonic() + wall_seconds
        self.stall_seconds, self.stop, self.stage = stall_seconds, stop, stage
        self.moved = time.monotonic()
        self.state: tuple[bytes, int] = (b"", 0)
        self.values: dict[bytes, bytes] = {}
        self.rest = b""

    def follow(self) -> Generator[bytes, None, None]:
        with selectors.DefaultSelector() as selector:
            selector.register(self.progress, selectors.EVENT_READ, "progress")
            if self.process.stderr is not None:
                selector.register(self.process.stderr, selectors.EVENT_READ, "stderr")
            if self.process.stdout is not None:
                selector.register(self.process.stdout, selectors.EVENT_READ, "stdout")
            next_check = 0.0
            while selector.get_map():
                for key, _ in selector.select(POLL_SECONDS):
                    data = os.read(key.fd, READ_SIZE)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.data == "stdout":
                        yield data
                        self.moved = time.monotonic()
                    elif key.data == "stderr":
                        self.tail += data
                        del self.tail[:-STDERR_LIMIT]
                    else:
                        self._note(data)
                if time.monotonic() >= next_check:
                    self._check()
                    next_check = time.monotonic() + POLL_SECONDS
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(POLL_SECONDS)
                return
            self._check()

    def _note(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            name, _, value = line.partition(b"=")
            if name in {b"frame", b"out_time_us", b"total_size"}:
                self.values[name] = value

    def _check(self) -> None:
        if self.stop():
            raise Stopped(self.stage)
        now = time.monotonic()
        state = (repr(sorted(self.values.items())).encode(), _cpu_ticks(self.process.pid))
        if state != self.state:
            self.state, self.moved = state, now
        if now > self.deadline or now - self.moved > self.stall_seconds:
            why = "wall clock" if now > self.deadline else "no progress"
            raise MediaError(
                "hung",
                stage=self.stage,
                message="The conversion of this film did not get any further.",
                hint="It is tried again. If it keeps failing, the film may be damaged.",
                permanent=False,
                log=f"{why}: {self.tail.decode('utf-8', 'replace')}",
            )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group and reap its leader; a group that is gone already is no error."""
    while process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)


def _cpu_ticks(pid: int) -> int:
    """CPU time used so far in clock ticks, fields 14 and 15 of proc(5) stat; 0 if unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) if len(fields) > 12 else 0


def _children_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system
