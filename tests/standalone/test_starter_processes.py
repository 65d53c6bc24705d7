"""The supervisor with real processes: whatever ends it, nothing of it is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from standalone.errors import StartError
from standalone.lock import take_lock

STANDIN = Path(__file__).with_name("standin.py")


def until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
    return found


def programs(folder, name):
    """Process ids of this program that run."""
    found = []
    for path in folder.glob(f"{name}-*"):
        pid = int(path.name.split("-")[1])
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            found.append(pid)
    return found


class Site:
    def __init__(self, folder, arguments=(), command=None):
        self.folder = folder
        self.stubborn = "--stubborn" in arguments
        self.process = subprocess.Popen(
            command or [sys.executable, str(STANDIN), str(folder), *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if "MAKE" not in name},
            start_new_session=True,
        )
        until(lambda: (folder / "supervisor").exists() and (folder / "supervisor").read_text())
        until(lambda: programs(folder, "gentle"))
        if self.stubborn:
            until(lambda: len(programs(folder, "stubborn")) == 2)

    @property
    def supervisor(self):
        return int((self.folder / "supervisor").read_text())

    def nothing_left(self):
        return not programs(self.folder, "gentle") + programs(self.folder, "stubborn")


@pytest.fixture
def site(tmp_path):
    sites = []

    def start(*arguments, command=None):
        sites.append(Site(tmp_path, arguments, command))
        return sites[-1]

    yield start
    for each in sites:
        each.process.kill()
        each.process.wait()
        each.process.stdout.close()
        until(each.nothing_left)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(site, number):
    running = site()
    running.process.send_signal(number)
    assert running.process.wait(5) == 0
    assert running.nothing_left()


def test_a_second_interrupt_kills_what_does_not_want_to_end(site):
    running = site("--stubborn")
    running.process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert programs(running.folder, "stubborn")
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(5) == 0
    assert running.nothing_left()


@pytest.mark.slow
def test_a_program_that_ignores_the_end_is_killed_in_time(site):
    running = site("--stubborn")
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0
    assert running.nothing_left()


def test_nothing_outlives_a_killed_supervisor(site, tmp_path):
    running = site("--stubborn")
    running.process.kill()
    running.process.wait()
    os.close(take_lock(tmp_path))  # waits for the guardian, which holds the lock until all ended
    assert running.nothing_left()


def test_a_killed_program_starts_again(site):
    running = site()
    first = programs(running.folder, "gentle")[0]
    os.kill(first, signal.SIGKILL)
    until(lambda: set(programs(running.folder, "gentle")) - {first})
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(5) == 0
    assert running.nothing_left()


def test_a_second_start_on_the_same_folder_is_refused(site, tmp_path):
    site()
    with pytest.raises(StartError, match="already runs on"):
        take_lock(tmp_path)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", ["make", "group"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_make_ends_everything(site, tmp_path, number, target):
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"run:\n\t@exec {sys.executable} {STANDIN} {tmp_path} --with-make\n")
    running = site(command=["make", "-f", str(makefile)])
    (os.killpg if target == "group" else os.kill)(running.process.pid, number)
    assert running.process.wait(10) == -number  # make always says so itself
    assert running.process.stdout.read() == "stopping\n"
    assert running.nothing_left()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_a_killed_make_takes_everything_along(site, tmp_path):
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"run:\n\t@exec {sys.executable} {STANDIN} {tmp_path} --with-make\n")
    running = site(command=["make", "-f", str(makefile)])
    running.process.kill()
    until(running.nothing_left)
