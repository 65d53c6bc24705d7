"""Where the ffmpeg binary is."""

from __future__ import annotations

import os
import shutil
from typing import Any

import imageio_ffmpeg

from app.media.errors import MediaError


def ffmpeg_binary(configured: str | None) -> str:
    """The path of ffmpeg: the configured one (a path or a name on the PATH), else the wheel's.

    Raises MediaError ``no_ffmpeg`` when the configured one cannot be run.
    """
    if not configured:
        wheel: Any = imageio_ffmpeg  # it has no types
        return str(wheel.get_ffmpeg_exe())
    found = shutil.which(configured)
    if found is None:
        raise MediaError(
            "no_ffmpeg",
            stage="probe",
            message="The server's film converter is not set up.",
            hint="Set FFMPEG_BINARY to an executable, or leave it empty for the bundled one.",
            permanent=False,
            log=f"not executable: {configured}",
        )
    return os.path.abspath(found)
