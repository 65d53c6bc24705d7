"""The supervisor: starts the programs, starts them again when they die, and ends all of them.

It is one loop in one thread: whoever waits for something calls `Supervisor.pause`, which looks
after everything else meanwhile. A program leads its own session, so that a Ctrl-C at the terminal
reaches the supervisor alone, which then ends the programs in order.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from standalone import sessions
from standalone.errors import StartError
from standalone.logs import Log
from standalone.terminal import say

ROOT = Path(__file__).resolve().parent.parent

TICK_SECONDS = 0.1
STOP_SECONDS = 12.0
"""How long programs may take to end; the workers give their jobs 8 s of it."""
RESTART_SECONDS = 1.0
RESTART_SECONDS_MAX = 30.0
STEADY_SECONDS = 60.0
"""A program that ran this long had a good start; its next restart is quick again."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Stopped(Exception):
    """Somebody asked for the end: Ctrl-C, a signal, or `make` itself."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs all the time."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Log
    ends_last: bool = False
    """Whether the others need it until they have ended."""


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    started: float
    pause: float = RESTART_SECONDS
    due: float | None = None
    """When to start again, once it has died."""


class Supervisor:
    """The programs of one running Videoflix, in the order of their start."""

    def __init__(self, held: Sequence[int] = ()) -> None:
        """`held` are file descriptors that stay open until the last program has ended."""
        self._children: list[_Child] = []
        self._watchers: list[Callable[[], None]] = []
        self._asked = False
        self._forced = False
        self._asked_at = 0.0
        self.restarting = False
        """Whether a program that dies is started again; until then its death is an error."""
        self._guardian = subprocess.Popen(
            [sys.executable, "-S", "-m", "standalone.guardian"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=held,
        )

    def listen(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP as the wish to end, a later SIGINT as an order."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call this about every second; it may raise Stopped through `ask`."""
        self._watchers.append(_hourglass(watcher))

    def ask(self) -> None:
        """Wish for the end, as a Ctrl-C does."""
        if not self._asked:
            self._asked, self._asked_at = True, time.monotonic()

    def start(self, program: Program) -> None:
        """Start a program and look after it from now on."""
        self._children.append(_Child(program, self._spawn(program), time.monotonic()))

    def pause(self, seconds: float = TICK_SECONDS) -> None:
        """Wait, and look after everything meanwhile.

        Raises Stopped when the end is asked for, and StartError when a program dies before
        `restarting` is set.
        """
        deadline = time.monotonic() + seconds
        while True:
            if self._asked:
                raise Stopped
            for child in self._children:
                self._look_after(child)
            for watcher in self._watchers:
                watcher()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, TICK_SECONDS))

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end with `text` as its input, and hand back what it wrote.

        Raises Stopped, after killing it, when the end is asked for meanwhile.
        """
        with (
            tempfile.TemporaryFile("w+", errors="replace") as given,
            tempfile.TemporaryFile("w+", errors="replace") as output,
            tempfile.TemporaryFile("w+", errors="replace") as errors,
        ):
            given.write(text)
            given.seek(0)
            process = self._popen(command, environment, given.fileno(), output, errors)
            try:
                while process.poll() is None:
                    self.pause(0.02)
            finally:
                sessions.kill([process.pid])
                process.wait()
                self._tell_guardian("-", process.pid)
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(
                list(command), process.returncode, output.read(), errors.read()
            )

    def stop(self) -> None:
        """End every program; after STOP_SECONDS by force, at once on a second Ctrl-C."""
        self._end([c for c in self._children if not c.program.ends_last], STOP_SECONDS)
        self._end([c for c in self._children if c.program.ends_last], STOP_SECONDS)
        self._children.clear()
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            assert self._guardian.stdin is not None  # noqa: S101 - it was opened with a pipe
            self._guardian.stdin.close()
            self._guardian.wait(10)

    def _end(self, children: Sequence[_Child], seconds: float) -> None:
        """SIGTERM to each program itself, which knows how to end its own; then SIGKILL to all."""
        running = {child.process.pid for child in children}
        for child in reversed(children):
            if child.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while not self._forced and time.monotonic() < deadline:
            if all(child.process.poll() is not None for child in children):
                break
            time.sleep(0.02)
        sessions.kill(running)
        for child in children:
            child.process.wait()
            self._tell_guardian("-", child.process.pid)

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        program = child.program
        if child.due is not None:
            if now >= child.due:
                child.process, child.started, child.due = self._spawn(program), now, None
            return
        code = child.process.poll()
        if code is None:
            return
        sessions.kill([child.process.pid])
        self._tell_guardian("-", child.process.pid)
        if not self.restarting:
            say(program.log.last_lines())
            raise StartError(
                f"{program.name.capitalize()} could not start; the lines above say why, and "
                f"{program.log.path} has all of them."
            )
        steady = now - child.started > STEADY_SECONDS
        child.pause = RESTART_SECONDS if steady else min(child.pause * 2, RESTART_SECONDS_MAX)
        child.due = now + child.pause
        ending = f"signal {-code}" if code < 0 else f"code {code}"
        say(f"  {program.name} ended with {ending} and starts again in {child.pause:.0f} s.")

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        with program.log.open() as log:
            return self._popen(program.command, program.environment, subprocess.DEVNULL, log, log)

    def _popen(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        given: int,
        output: IO[Any],
        errors: IO[Any],
    ) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - commands of our own
            command,
            cwd=ROOT,
            env=environment,
            stdin=given,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            preexec_fn=_end_with(os.getpid()),
        )
        self._tell_guardian("+", process.pid)
        return process

    def _tell_guardian(self, change: str, session: int) -> None:
        with contextlib.suppress(OSError, ValueError):  # it has been killed: then without
            assert self._guardian.stdin is not None  # noqa: S101 - it was opened with a pipe
            self._guardian.stdin.write(f"{change}{session}\n".encode())
            self._guardian.stdin.flush()

    def _ask(self, number: int, _frame: object) -> None:
        # one Ctrl-C may arrive twice, from the terminal and by way of make
        again = self._asked and time.monotonic() - self._asked_at > 0.5
        if again and number == signal.SIGINT:
            self._forced = True
        self.ask()


def _end_with(parent: int) -> Callable[[], None]:
    """For the moment between fork and exec: get SIGTERM when the parent dies (Linux)."""

    def apply() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return apply


def _hourglass(watcher: Callable[[], None], seconds: float = 1.0) -> Callable[[], None]:
    """The watcher, called at most once in so many seconds."""
    due = 0.0

    def call() -> None:
        nonlocal due
        if time.monotonic() >= due:
            watcher()
            due = time.monotonic() + seconds

    return call
