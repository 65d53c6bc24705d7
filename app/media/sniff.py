"""A first look at a file's first bytes: could this be one of the containers we read?

It runs where the upload arrives, on bytes alone, and opens nothing. It lets through what a probe
may still refuse, and refuses what no probe will read: text, pictures, playlists, programs.
Signatures: ISO/IEC 14496-12 (boxes), RFC 9559 (Matroska), ISO/IEC 13818-1 (transport and program
streams), the AVI, FLV, ASF, Ogg, FLAC, WAVE and MPEG audio formats' own headers.
"""

from __future__ import annotations

from typing import Final

SNIFF_BYTES: Final = 1024
"""How many first bytes are needed; three transport stream packets of 204 bytes, and then some."""

_BOXES: Final = frozenset(
    {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"sidx"}
)
_PREFIXES: Final = (
    b"\x1a\x45\xdf\xa3",  # EBML: Matroska, WebM
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"OggS",
    b"fLaC",
    b"ID3",
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG video
)
_STREAM_PACKETS: Final = ((188, 0), (192, 4), (204, 0))
"""Transport stream packet sizes and where the sync byte stands: plain, M2TS, with parity."""


def looks_like_film(head: bytes) -> bool:
    """Whether a file with these first bytes (SNIFF_BYTES of them, or the whole file) may be one."""
    if head[4:8] in _BOXES or head.startswith(_PREFIXES):
        return True
    if head[:4] == b"RIFF" and head[8:12] in {b"AVI ", b"WAVE"}:
        return True
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:  # MPEG audio, ADTS
        return True
    return any(_has_sync(head, size, offset) for size, offset in _STREAM_PACKETS)


def looks_like_image(head: bytes) -> bool:
    """Whether these first bytes (12 or more) are those of a JPEG, PNG or WebP."""
    return head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (
        head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    )


def _has_sync(head: bytes, size: int, offset: int) -> bool:
    places = range(offset, len(head), size)
    return len(places) >= 2 and all(head[place] == 0x47 for place in places[:5])
