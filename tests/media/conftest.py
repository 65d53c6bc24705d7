"""Clips of a second or two, made with the real ffmpeg; films of the corpus where there is one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.media.binary import ffmpeg_binary

CORPUS = "VIDEOFLIX_TEST_MEDIA"


@pytest.fixture(scope="session")
def binary() -> str:
    return ffmpeg_binary(os.environ.get("FFMPEG_BINARY"))


Clip = Callable[[str, Sequence[str]], Path]


@pytest.fixture(scope="session")
def make_clip(binary: str, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Run ffmpeg with the given arguments once; the result is kept for the session."""
    folder = tmp_path_factory.mktemp("clips")

    def make(name: str, arguments: Sequence[str]) -> Path:
        path = folder / name
        if not path.exists():
            command = [binary, "-nostdin", "-y", "-loglevel", "error", *arguments, str(path)]
            subprocess.run(command, check=True, timeout=60)
        return path

    return make


PICTURE = ("-f", "lavfi", "-i", "testsrc2=s={size}:r={rate}:d={seconds}")
SOUND = ("-f", "lavfi", "-i", "sine=f=440:r=48000:d={seconds}")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def lavfi(
    size: str = "320x180", rate: str = "25", seconds: float = 9, *, sound: bool = True
) -> list[str]:
    inputs = [*PICTURE, *(SOUND if sound else ())]
    return [part.format(size=size, rate=rate, seconds=seconds) for part in inputs]


@pytest.fixture(scope="session")
def film(make_clip: Clip) -> Path:
    """Nine seconds, 640 x 360 at 25/s with sound, a key frame each second: it can be copied."""
    return make_clip(
        "film.mp4", [*lavfi("640x360"), *X264, "-bf", "2", "-preset", "veryfast", "-g", "25",
                     "-b:v", "500k", "-c:a", "aac"],
    )  # fmt: skip


@pytest.fixture(scope="session")
def webm(make_clip: Clip) -> Path:
    """Nine seconds of VP8 at 30/1.001: it must be encoded."""
    return make_clip(
        "film.webm", [*lavfi(rate="30000/1001"), "-c:v", "libvpx", "-deadline", "realtime",
                      "-cpu-used", "8", "-c:a", "libopus"],
    )  # fmt: skip


@pytest.fixture(scope="session")
def corpus() -> Path:
    folder = os.environ.get(CORPUS)
    if not folder:
        pytest.skip(f"{CORPUS} is not set")
    return Path(folder)
