"""What ffmpeg and the prober can reach: their film, their place, and nothing else."""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import os
import pkgutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import app.media
from app.media import cage, landlock
from app.media.commands import ChunkTry
from app.media.plan import Plan, PlanOptions, make_plan
from app.media.probe import probe
from app.media.runner import LAUNCHER, Finished, Limits, run
from app.media.still_commands import Still
from tests.media.playback import never

SECRET = "what another member wrote"
INTRUDER = """
import json, os, socket, sys
sys.path.insert(0, {folder!r})
import launch
launch.enter(sys.argv[1])
done = {{}}
def attempt(name, deed):
    try:
        deed()
        done[name] = None
    except OSError as error:
        done[name] = error.errno
def connect(address, family):
    with socket.socket(family) as client:
        client.connect(address)
attempt("own", lambda: open({own!r}).close())
attempt("other", lambda: open({other!r}).close())
attempt("hostname", lambda: open("/etc/hostname").close())
attempt("environment", lambda: open("/proc/%d/environ" % os.getppid()).close())
attempt("write", lambda: open({own!r}, "w").close())
attempt("delete", lambda: os.unlink({other!r}))
attempt("run", lambda: os.execv("/bin/true", ["true"]))
attempt("tcp", lambda: connect(("127.0.0.1", {port}), socket.AF_INET))
attempt("unix", lambda: connect({unix!r}, socket.AF_UNIX))
attempt("signal", lambda: os.kill(os.getppid(), 0))
sys.stdout.write(json.dumps(done))
"""
PICTURES = {"jpeg_pipe", "png_pipe", "webp_pipe", "yuv4mpegpipe"}
"""An owner's image, whose first bytes were looked at, and the raw picture ffmpeg made of it."""

EACCES, EPERM = 13, 1

landlocked = pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file beside the place and the film."""
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "place"
    path.mkdir()
    return path


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """Somebody who listens on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


def caged(binary: str, arguments: Sequence[str], **paths: Sequence[Path]) -> tuple[Finished, bytes]:
    shown = bytearray()
    finished = run(
        [binary, "-nostdin", "-y", *arguments], limits=Limits(), wall_seconds=30, stall_seconds=30,
        stop=never, stdout=shown.extend, **paths,
    )  # fmt: skip
    return finished, bytes(shown)


def free(binary: str, arguments: Sequence[str]) -> bytes:
    """What the same command tells without the cage."""
    command = [binary, "-nostdin", "-y", "-v", "error", *arguments]
    return subprocess.run(command, check=False, capture_output=True, timeout=30).stdout


def copy_of(path: str) -> list[str]:
    return ["-f", "data", "-i", path, "-map", "0", "-c", "copy", "-f", "data", "pipe:1"]


@landlocked
@pytest.mark.parametrize("path", ["file:{secret}", "{secret}", "file:/etc/hostname"])
def test_no_other_file_is_read(binary: str, place: Path, secret: Path, path: str) -> None:
    command = copy_of(path.format(secret=secret))
    assert free(binary, command)
    finished, shown = caged(binary, command, writes=[place])
    assert finished.returncode != 0
    assert "Permission denied" in finished.stderr_tail
    assert shown == b""


@landlocked
def test_a_list_that_names_another_file_does_not_open_it(
    binary: str, place: Path, film: Path, secret: Path
) -> None:
    other = secret.with_name("other.mp4")
    other.write_bytes(film.read_bytes())
    upload = secret.with_name("upload.mp4")
    upload.write_text(f"ffconcat version 1.0\nfile '{other}'\n")
    command = ["-f", "concat", "-safe", "0", "-i", f"file:{upload}", "-c", "copy", "-map", "0:v",
               "-f", "matroska", "pipe:1"]  # fmt: skip
    assert free(binary, command)
    finished, shown = caged(binary, command, reads=[upload], writes=[place])
    assert finished.returncode != 0
    assert "Permission denied" in finished.stderr_tail
    assert shown == b""


@landlocked
def test_files_are_made_in_its_place_alone(binary: str, place: Path, secret: Path) -> None:
    picture = ["-f", "lavfi", "-i", "color=s=16x16:d=1", "-frames:v", "1", "-f", "rawvideo"]
    finished, _ = caged(binary, [*picture, f"file:{place}/in"], writes=[place])
    assert finished.returncode == 0
    beside = place.with_name("beside")
    for target in (beside, secret):
        finished, _ = caged(binary, [*picture, f"file:{target}"], writes=[place])
        assert "Permission denied" in finished.stderr_tail
    assert not beside.exists()
    assert secret.read_text() == SECRET


@pytest.mark.skipif(landlock.abi() < landlock.TCP_ABI, reason="this kernel cannot bar TCP")
def test_nobody_is_called(binary: str, place: Path, door: socket.socket) -> None:
    command = copy_of(f"tcp://127.0.0.1:{door.getsockname()[1]}?timeout=200000")
    free(binary, command)
    door.accept()[0].close()
    finished, _ = caged(binary, command, writes=[place])
    assert "Permission denied" in finished.stderr_tail
    with pytest.raises(TimeoutError):
        door.accept()


@pytest.mark.skipif(landlock.abi() < landlock.SCOPE_ABI, reason="this kernel cannot bar signals")
def test_code_that_runs_in_there_reaches_nothing(
    place: Path, film: Path, secret: Path, door: socket.socket
) -> None:
    unix = f"\0videoflix-{os.getpid()}"
    script = place / "intruder.py"
    script.write_text(
        INTRUDER.format(
            folder=str(LAUNCHER.parent), own=str(film), other=str(secret), unix=unix,
            port=door.getsockname()[1],
        )
    )  # fmt: skip
    shown = bytearray()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(unix)
        server.listen()
        finished = run(
            ["intruder"], door=script, limits=Limits(), wall_seconds=30, stall_seconds=30,
            stop=never, reads=[film], stdout=shown.extend,
        )  # fmt: skip
    assert finished.returncode == 0, finished.log
    barred = dict.fromkeys(
        ("other", "hostname", "environment", "write", "delete", "run", "tcp"), EACCES
    )
    assert json.loads(shown) == {"own": None, **barred, "unix": EPERM, "signal": EPERM}
    assert secret.read_text() == SECRET


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4, 5, 6])
def test_an_older_kernel_holds_to_what_it_knows(
    binary: str, film: Path, place: Path, secret: Path, version: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if version > landlock.abi():
        pytest.skip("this kernel is older")
    monkeypatch.setattr(landlock, "abi", lambda: version)
    finished, _ = caged(
        binary, ["-i", f"file:{film}", "-c", "copy", f"file:{place}/film.mp4"],
        reads=[film], writes=[place],
    )  # fmt: skip
    assert finished.returncode == 0, finished.log
    _, shown = caged(binary, copy_of(f"file:{secret}"), writes=[place])
    assert shown == (SECRET.encode() if version == 0 else b"")


def through_the_door(ruleset: int | None, *program: str) -> list[str]:
    """A command that runs a program through the launcher, with this ruleset."""
    rules = {"parent": os.getpid(), "cpu": 9, "memory": 1 << 30, "file": 0, "files": 20}
    text = json.dumps({**rules, "landlock": ruleset})
    return [sys.executable, "-I", "-S", str(LAUNCHER), text, "--", *program]


def test_without_its_ruleset_it_does_not_start(binary: str) -> None:
    done = subprocess.run(through_the_door(1, binary), check=False, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (126, b"", b"")


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="sessions are not weighed")
@pytest.mark.parametrize("niceness", [0, 7])
def test_its_session_is_as_nice_as_its_process(niceness: int) -> None:
    look = "import os; print(os.nice(0), open('/proc/self/autogroup').read().split()[-1])"
    command = through_the_door(None, sys.executable, "-c", look)
    done = subprocess.run(
        ["nice", "-n", str(niceness), *command],
        capture_output=True, check=True, text=True, start_new_session=True,
    )  # fmt: skip
    assert done.stdout.split() == [str(niceness)] * 2


def builders() -> dict[str, Callable[..., list[str]]]:
    """Every function of the library that makes a command line."""
    modules = [
        importlib.import_module(f"app.media.{module.name}")
        for module in pkgutil.iter_modules(app.media.__path__)
    ]
    return {
        name: getattr(module, name)
        for module in modules
        for name in dir(module)
        if name.endswith("_command")
    }


BUILDERS = builders()


def built(name: str, film: Path, plan: Plan, place: Path) -> list[str]:
    """The command of a builder, for arguments by their names; an unknown one is to be added."""
    picture = place / "picture"
    known: dict[str, Any] = {
        "binary": "ffmpeg", "source": film, "plan": plan, "chunk": 0, "seconds": 1.0,
        "outputs": {row.name: place / row.name for row in plan.video},
        "attempt": ChunkTry(held=False, lead=1.0), "at_key": False, "start": 1.0,
        "row": plan.audio[0] if name in {"audio_command", "wave_command"} else film,
        "rows": {3: place / "text"}, "picture": picture, "poster": picture, "thumb": picture,
        "image": film, "place": place, "target": picture, "count": 9, "gap": 1.0,
        "tile": (160, 90), "grid": (10, 10), "stills": [Still(picture, 320, 180, "jpeg")],
    }  # fmt: skip
    needed = [
        parameter.name
        for parameter in inspect.signature(BUILDERS[name]).parameters.values()
        if parameter.default is parameter.empty
    ]
    return BUILDERS[name](**{name: known[name] for name in needed})


@pytest.mark.parametrize("name", BUILDERS)
def test_every_input_is_opened_under_the_whitelist(name: str, film: Path, tmp_path: Path) -> None:
    command = built(name, film, make_plan(probe(film), PlanOptions(copy=False)), tmp_path)
    places = [at for at, word in enumerate(command) if word == "-i"]
    assert places
    for begin, at in zip([0, *places], places, strict=False):
        before = command[begin:at]
        assert command[at + 1].startswith("file:/")
        options = dict(itertools.pairwise(before))
        assert "-nostdin" in before
        for option in ("max_streams", "max_pixels", "max_alloc", "probesize", "analyzeduration"):
            assert options[f"-{option}"] == cage.input_options()[option]
        assert options["-protocol_whitelist"] == "file"
        formats = set(options["-format_whitelist"].split(","))
        assert formats <= {*cage.FORMATS.split(","), *PICTURES}


def test_sound_that_is_made_up_opens_no_file(film: Path) -> None:
    row = make_plan(probe(film)).audio[0]
    command = BUILDERS["audio_command"]("ffmpeg", film, row, silent=True)
    inputs = [command[at - 2 : at + 2] for at, word in enumerate(command) if word == "-i"]
    assert inputs == [["-f", "lavfi", "-i", f"anullsrc=r={row.rate}:cl=mono"]]


def test_a_block_that_is_too_large_is_not_allocated(binary: str, film: Path, place: Path) -> None:
    options = {**cage.input_options(), "max_alloc": "20000"}
    words = [word for name, value in options.items() for word in (f"-{name}", value) if word]
    rest = ["-i", f"file:{film}", "-f", "null", "-"]
    assert caged(binary, [*words, *rest], reads=[film])[0].returncode != 0
    options = cage.input_options()
    words = [word for name, value in options.items() for word in (f"-{name}", value) if word]
    assert caged(binary, [*words, *rest], reads=[film])[0].returncode == 0
