"""The frame index: from an MP4's own tables if they hold, else by reading all packets."""

from __future__ import annotations

import itertools
import time
from array import array
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.container import InputContainer
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from app.media import cage
from app.media.errors import MediaError, damaged
from app.media.facts import FrameIndex
from app.media.jumps import AHEAD, Straight, straighten
from app.media.movindex import composition_offsets

LATE: Final = 1
"""Seconds by which the time of a picture may lie before its forerunner's in decode order."""
READ_SECONDS: Final = 30.0
"""How long packets are read: about 10 GB from a usual disk. The rest is then not known."""


def read_frames(
    container: InputContainer, stream: VideoStream, path: Path, whole: int | None = None
) -> FrameIndex:
    """All pictures of the film in decode order.

    ``whole`` is the size in bytes of a file of which only the front is there.

    Raises MediaError ``too_long`` beyond cage.MAX_FRAMES.
    """
    if stream.frames > cage.MAX_FRAMES or len(stream.index_entries) > cage.MAX_FRAMES:
        raise MediaError(
            "too_long", stage="probe", message="This film has too many pictures.",
            hint="Export it again as an MP4 with 60 pictures a second or fewer.",
        )  # fmt: skip
    if "mp4" in container.format.name and stream.frames > 0:
        index = _from_tables(container, stream, path, whole or path.stat().st_size)
        if index is not None:
            return index
    if whole is not None:
        raise damaged("probe", "the index alone does not say it all")
    # A fresh container, not a seek to the front: MPEG streams do not find it again.
    with av.open(f"file:{path}", options=cage.open_options(), metadata_errors="replace") as fresh:
        index = _from_packets(fresh, fresh.streams[stream.index])
    if index.complete and container.format.name == "mpegts" and _jumping(index, stream):
        return _from_straight(straighten(path, stream.index))
    return index


def _jumping(index: FrameIndex, stream: Stream) -> bool:
    """Do the times leap as no reordering of pictures does?"""
    base = stream.time_base or Fraction(1, 90_000)
    return any(
        (b - a) * base > AHEAD or (a - b) * base > LATE for a, b in itertools.pairwise(index.pts)
    )


def _from_straight(straight: Straight) -> FrameIndex:
    packets, parts = straight.packets, straight.parts
    first = next((at for at, packet in enumerate(packets) if packet.key), 0)
    packets, parts = packets[first:], parts[first:]
    return FrameIndex(
        array("q", [packet.pts for packet in packets]),
        array("q", [packet.size for packet in packets]),
        tuple(at for at, packet in enumerate(packets) if packet.key),
        complete=True,
        shifts=straight.shifts,
        sound=straight.sound,
        entries=tuple(
            (packet.pts, packet.pos, part)
            for packet, part in zip(packets, parts, strict=True)
            if packet.key
        ),
    )


def _from_tables(
    container: InputContainer, stream: VideoStream, path: Path, size: int
) -> FrameIndex | None:
    entries = list(stream.index_entries)
    track = int(stream.id)
    offsets = composition_offsets(path, track, len(entries))
    if not entries or offsets is None:
        return None
    container.seek(entries[0].timestamp, stream=stream)
    packet = next((p for p in container.demux(stream) if p.size), None)
    if packet is None or packet.pts is None or packet.dts != entries[0].timestamp:
        return None
    late = packet.pts - entries[0].timestamp - offsets[0]
    pts, sizes, keys = array("q"), array("q"), []
    cut = trimmed = False
    for entry, offset in zip(entries, offsets, strict=True):
        if entry.pos < 0 or entry.pos + entry.size > size or entry.size <= 0:
            cut = True
            continue
        if entry.is_discard:
            trimmed = True
            continue
        if entry.is_keyframe:
            keys.append(len(pts))
        pts.append(entry.timestamp + offset + late)
        sizes.append(entry.size)
    return FrameIndex(pts, sizes, tuple(keys), complete=True, cut=cut, trimmed=trimmed)


def _from_packets(container: InputContainer, stream: Stream) -> FrameIndex:
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    codec = stream.codec_context.codec.canonical_name
    pts, sizes, keys = array("q"), array("q"), []
    complete, deadline = True, time.monotonic() + READ_SECONDS
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            break
        if packet is None or len(pts) > cage.MAX_FRAMES or time.monotonic() > deadline:
            complete = packet is None
            break
        if not packet.size or _hidden(codec, packet):
            continue
        if packet.pts is None:
            complete = False
            continue
        if packet.is_keyframe:
            keys.append(len(pts))
        pts.append(packet.pts)
        sizes.append(packet.size)
    if keys and keys[0]:  # nothing before the first key frame decodes
        first = keys[0]
        pts, sizes, keys = pts[first:], sizes[first:], [key - first for key in keys]
    return FrameIndex(pts, sizes, tuple(keys), complete=complete)


def _hidden(codec: str, packet: av.Packet[Any]) -> bool:
    """Is this an alternate reference frame, decoded but never shown?

    VP8: show_frame is bit 4 of the frame tag (RFC 6386, 9.1). VP9: show_frame follows
    show_existing_frame and frame_type in the uncompressed header; a superframe (marker 110 in
    its last byte) ends with a frame that is shown (VP9 bitstream specification, 6.2 and annex B).
    """
    data = memoryview(packet)
    if codec == "vp8":
        return not data[0] & 0x10
    if codec == "vp9":
        if data[-1] & 0xE0 == 0xC0:
            return False
        bits = f"{data[0]:08b}{data[1] if len(data) > 1 else 0:08b}"
        at = 5 if bits[2:4] == "11" else 4
        return bits[at] == "0" and bits[at + 2] == "0"
    return False
