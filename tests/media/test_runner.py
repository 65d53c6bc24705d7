"""The cage: nothing that ffmpeg does can outlive, outgrow or outwait what it was given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.media.errors import MediaError, Stopped
from app.media.runner import Limits, run, stream
from tests.media.playback import never

ENDLESS = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=25", "-f", "null", "-"]
SHORT = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1", "-f", "null", "-"]


def children() -> set[int]:
    """Process ids of this process's living children."""
    own, found = os.getpid(), set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == own:
                found.add(int(folder.name))
    return found


@pytest.fixture(autouse=True)
def no_one_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def test_a_process_ends_and_is_measured(binary: str) -> None:
    finished = run([binary, *SHORT], limits=Limits(), wall_seconds=30, stall_seconds=30, stop=never)
    assert finished.returncode == 0
    assert 0 < finished.seconds < 30
    assert finished.cpu_seconds > 0


def test_failure_is_told_not_raised_and_stderr_is_bounded(binary: str) -> None:
    finished = run(
        [binary, "-loglevel", "debug", "-f", "lavfi", "-i", "nonsense" * 3000, "-f", "null", "-"],
        limits=Limits(), wall_seconds=30, stall_seconds=30, stop=never,
    )  # fmt: skip
    assert finished.returncode > 0
    assert 0 < len(finished.stderr_tail) <= 6_000


def test_stop_ends_it_within_a_second(binary: str) -> None:
    began = time.monotonic()
    with pytest.raises(Stopped):
        run(
            [binary, *ENDLESS], limits=Limits(), wall_seconds=30, stall_seconds=30,
            stop=lambda: time.monotonic() > began + 1,
        )  # fmt: skip
    assert time.monotonic() - began < 2.5


def test_wall_clock(binary: str) -> None:
    with pytest.raises(MediaError, match="hung"):
        run([binary, *ENDLESS], limits=Limits(), wall_seconds=1, stall_seconds=30, stop=never)


def test_blocked_on_its_input_it_is_killed(binary: str, tmp_path: Path) -> None:
    pipe = tmp_path / "film.mp4"
    os.mkfifo(pipe)
    began = time.monotonic()
    with pytest.raises(MediaError) as caught:
        run(
            [binary, "-i", f"file:{pipe}", "-f", "null", "-"], limits=Limits(), wall_seconds=60,
            stall_seconds=1, stop=never, reads=[pipe],
        )  # fmt: skip
    assert (caught.value.code, caught.value.permanent) == ("hung", False)
    assert time.monotonic() - began < 5


def test_halted_it_is_killed(binary: str) -> None:
    before = children()

    def halt() -> None:
        time.sleep(1)
        for pid in children() - before:
            os.kill(pid, signal.SIGSTOP)

    thread = threading.Thread(target=halt)
    thread.start()
    with pytest.raises(MediaError, match="hung"):
        run([binary, *ENDLESS], limits=Limits(), wall_seconds=60, stall_seconds=2, stop=never)
    thread.join()


def test_exception_from_a_signal_handler_kills_it(binary: str) -> None:
    class JobTimeout(Exception):
        pass

    def handler(*_: object) -> None:
        raise JobTimeout

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        with pytest.raises(JobTimeout):
            run([binary, *ENDLESS], limits=Limits(), wall_seconds=60, stall_seconds=60, stop=never)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_closing_the_stream_kills_it(binary: str) -> None:
    endless = ["-re", *ENDLESS[:4], "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"]
    output = stream(
        [binary, *endless], limits=Limits(), wall_seconds=60, stall_seconds=60, stop=never
    )
    assert next(output)
    output.close()


@pytest.mark.parametrize(
    ("limits", "arguments"),
    [
        (Limits(cpu_seconds=1), ENDLESS),
        (Limits(memory=64 << 20), SHORT),
        (Limits(file_bytes=10_000), [*SHORT[:4], "-f", "rawvideo", "file:{place}/big"]),
    ],
)
def test_limits_hold(binary: str, tmp_path: Path, limits: Limits, arguments: list[str]) -> None:
    finished = run(
        [binary, "-y", *(a.format(place=tmp_path) for a in arguments)], limits=limits,
        wall_seconds=30, stall_seconds=30, stop=never,
    )  # fmt: skip
    assert finished.returncode != 0
    for path in tmp_path.iterdir():
        assert path.stat().st_size <= 10_000


def test_secrets_of_the_environment_stay_out(
    binary: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_KEY", "not for ffmpeg")
    script = tmp_path / "show"
    script.write_text("import os, sys\nsys.stderr.write(repr(os.environ))\n")
    finished = run(
        ["show"], door=script, limits=Limits(), wall_seconds=30, stall_seconds=30, stop=never
    )
    assert "PATH" in finished.stderr_tail
    assert "not for ffmpeg" not in finished.stderr_tail


def test_killed_worker_takes_its_process_along(binary: str) -> None:
    program = (
        "import sys; from app.media.runner import *\n"
        f"run({[binary, *ENDLESS]!r}, limits=Limits(), wall_seconds=60, stall_seconds=60,"
        "stop=lambda: print('on', flush=True) or False)"
    )
    worker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    worker.stdout.readline()
    worker.stdout.readline()
    task = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
    inner = [int(pid) for pid in task.read_text().split()]
    worker.kill()
    worker.wait()
    worker.stdout.close()
    assert inner
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(_alive(pid) for pid in inner):
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in inner)


def _alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
