"""The names of codecs in playlists, read from what really is in an init segment (RFC 6381)."""

from __future__ import annotations

import struct
from typing import Final

from app.media.boxes import Box, find, walk

SAMPLE_ENTRY_VIDEO: Final = 78  # bytes before the boxes inside avc1 (ISO/IEC 14496-12, 12.1.3)
SAMPLE_ENTRY_AUDIO: Final = 28


def h264_name(extradata: bytes) -> str | None:
    """``avc1.PPCCLL`` from an avcC record or from Annex B bytes with an SPS, else None."""
    if len(extradata) >= 4 and extradata[0] == 1:
        return f"avc1.{extradata[1:4].hex()}"
    at = 0
    while (at := extradata.find(b"\0\0\1", at)) >= 0:
        at += 3
        if at + 4 <= len(extradata) and extradata[at] & 0x1F == 7:
            return f"avc1.{extradata[at + 1 : at + 4].hex()}"
    return None


def whole_units(sample: bytes) -> bool:
    """Is a copied H.264 sample a row of NAL units with four-byte lengths and sane headers?

    ITU-T H.264 7.3.1: the first bit of a header is zero; types 0 and 24 to 31 are unspecified.
    """
    at = 0
    while at + 5 <= len(sample):
        (length,) = struct.unpack_from(">I", sample, at)
        kind = sample[at + 4]
        if not length or kind & 0x80 or not 1 <= kind & 0x1F <= 23:
            return False
        at += 4 + length
    return at == len(sample)


def init_codec(init: bytes) -> str | None:
    """The codec of an init segment with one H.264 or AAC track, else None."""
    entry = _sample_entry(init)
    if entry is None:
        return None
    if entry.kind in {b"avc1", b"avc3"}:
        for found in walk(init, entry.body + SAMPLE_ENTRY_VIDEO, entry.end):
            if found.kind == b"avcC":
                return h264_name(init[found.body : found.end])
    if entry.kind == b"mp4a":
        for found in walk(init, entry.body + SAMPLE_ENTRY_AUDIO, entry.end):
            if found.kind == b"esds":
                return _aac_name(init[found.body + 4 : found.end])
    return None


def init_size(init: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of an init segment's picture, None for sound."""
    entry = _sample_entry(init)
    if entry is None or entry.kind not in {b"avc1", b"avc3"}:
        return None
    width, height = struct.unpack_from(">HH", init, entry.body + 24)
    return width, height


def _sample_entry(init: bytes) -> Box | None:
    stsd = find(init, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    return None if stsd is None else next(walk(init, stsd.body + 8, stsd.end), None)


def _aac_name(descriptors: bytes) -> str | None:
    """``mp4a.40.N`` from the elementary stream descriptor (ISO/IEC 14496-1, 7.2.6)."""
    at, kind = 0, None
    while at < len(descriptors):
        tag = descriptors[at]
        at += 1
        while at < len(descriptors) and descriptors[at] & 0x80:
            at += 1
        at += 1
        if tag == 3:
            at += 3
        elif tag == 4:
            kind = descriptors[at]
            at += 13
        elif tag == 5:
            return f"mp4a.{kind:02x}.{descriptors[at] >> 3}" if kind is not None else None
        else:
            return None
    return None
