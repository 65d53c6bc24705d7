"""Films for tests: short ones made here, and the real ones that VIDEOFLIX_TEST_MEDIA points at."""

from __future__ import annotations

import functools
import io
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from app.media.binary import ffmpeg_binary


def real_film(name: str) -> Path:
    """A film of the corpus, such as `real/bee_720p_faststart.mp4`; skips where there is none."""
    folder = os.environ.get("VIDEOFLIX_TEST_MEDIA")
    if not folder:
        pytest.skip("set VIDEOFLIX_TEST_MEDIA to the folder of test films")
    return Path(folder) / name


def multipart(data: bytes, name: str = "film.mp4", **fields: str) -> dict[str, Any]:
    """The arguments of `client.post` that upload these bytes; the whole body is in memory."""
    film = FileStorage(io.BytesIO(data), name)
    boundary, body = encode_multipart({"file": film, **fields})
    return {"data": body, "content_type": f"multipart/form-data; boundary={boundary}"}


@functools.cache
def made_film(
    seconds: float = 2, size: str = "320x180", codec: str = "libx264", rate: int = 25
) -> Path:
    """A film of moving bars with a tone, made once per test process.

    One in `mpeg4` must be encoded, one in `libx264` can be copied.
    """
    ending = {"libx264": "mp4", "mpeg4": "mkv"}[codec]
    path = (
        Path(tempfile.gettempdir()) / f"vf-{os.getpid()}-{seconds}-{size}-{codec}-{rate}.{ending}"
    )
    command = (
        f"-nostdin -v error -y -f lavfi -i testsrc2=s={size}:r={rate}:d={seconds} "
        f"-f lavfi -i sine=f=440:r=48000:d={seconds} -c:v {codec} -pix_fmt yuv420p -g {rate} "
        "-c:a aac -shortest"
    )
    extra = ["-preset", "ultrafast"] if codec == "libx264" else ["-q:v", "5"]
    subprocess.run([ffmpeg_binary(None), *command.split(), *extra, path], check=True, timeout=120)
    return path
