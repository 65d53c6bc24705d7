"""What only a decoded picture tells: its real size, rotation, mirroring and interlacing."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any, Final

import av
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from app.media.errors import damaged

MAX_PACKETS: Final = 600
"""Packets tried until one decodes: 20 s of a film that begins in the middle of a group."""
INTERLACE_FRAMES: Final = 3


@dataclass(frozen=True)
class Picture:
    """``rotation`` in degrees clockwise (0, 90, 180, 270), after ``mirrored`` left to right."""

    width: int
    height: int
    pix_fmt: str
    bit_depth: int
    full_range: bool
    interlaced: bool
    rotation: int
    mirrored: bool
    level: int
    dolby: bool


def first_picture(container: InputContainer, stream: VideoStream) -> Picture:
    """Decode the film's first picture; raises MediaError ``damaged`` if none of the first do."""
    frame, interlaced, seen = None, False, 0
    errors: list[str] = []
    for tried, packet in enumerate(container.demux(stream)):
        if tried > MAX_PACKETS:
            break
        try:
            pictures = packet.decode()
        except av.FFmpegError as error:
            errors.append(str(error))
            continue
        for decoded in pictures:
            if isinstance(decoded, VideoFrame):
                frame = frame or decoded
                interlaced = interlaced or bool(decoded.interlaced_frame)
                seen += 1
        if seen >= INTERLACE_FRAMES:
            break
    if frame is None:
        raise damaged("probe", "no picture decodes: " + "; ".join(errors[:5]))
    rotation, mirrored = orientation(_matrix(frame))
    parts: Any = frame.side_data  # its stubs know only motion vectors
    extradata = bytes(stream.codec_context.extradata or b"")
    return Picture(
        width=frame.width,
        height=frame.height,
        pix_fmt=frame.format.name,
        bit_depth=max((part.bits for part in frame.format.components), default=8),
        full_range=frame.color_range == 2 or frame.format.name.startswith("yuvj"),
        interlaced=interlaced,
        rotation=rotation,
        mirrored=mirrored,
        level=extradata[3] if len(extradata) > 3 and extradata[0] == 1 else 0,
        dolby=any(parts[at].type == Type.DOVI_METADATA for at in range(len(parts))),
    )


def orientation(matrix: tuple[int, ...]) -> tuple[int, bool]:
    """Rotation and mirroring of a display matrix (ISO/IEC 14496-12, 8.5.2: nine 16.16 numbers).

    Angles are rounded to a quarter turn, as ffmpeg's own upright turning does.
    """
    if len(matrix) < 5:
        return 0, False
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    if a == 0 and b == 0:
        return 0, False
    return round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360, mirrored


def _matrix(frame: VideoFrame) -> tuple[int, ...]:
    parts: Any = frame.side_data  # its stubs know only motion vectors
    for at in range(len(parts)):
        data = parts[at]
        if data.type == Type.DISPLAYMATRIX and len(bytes(data)) >= 36:
            return struct.unpack("=9i", bytes(data)[:36])
    return ()
