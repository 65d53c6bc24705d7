"""HLS playlists (RFC 8216) from the plan alone: text, complete before anything is encoded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.media.grid import AudioRow, Plan

AUDIO_GROUP: Final = "audio"
TEXT_GROUP: Final = "captions"
VERSION: Final = 7
DESCRIBES_VIDEO: Final = "public.accessibility.describes-video"
"""Of a sound track that tells what is to be seen (RFC 8216, 4.3.4.1)."""
HEADER: Final = ("#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS")


@dataclass(frozen=True)
class TextTrack:
    """Captions as a player is told of them; ``uri`` is where their playlist is."""

    uri: str
    language: str
    label: str
    forced: bool


@dataclass(frozen=True)
class KeyFrames:
    """A full picture row by its key frames alone: how many bytes of each segment hold its own."""

    row: str
    bytes: Sequence[int]


def master_playlist(
    plan: Plan,
    measured: Mapping[str, tuple[float, float]] | None = None,
    texts: Sequence[TextTrack] = (),
    key_frames: KeyFrames | None = None,
) -> str:
    """The multivariant playlist; every rendition is ``<row>/index.m3u8`` beside it.

    ``measured`` maps rows to (peak, average) bits/s of their real segments; rows that are not in
    it are stated as the plan promises. Sound is added to each variant, at its heaviest track.
    ``key_frames`` are offered for seeking, as ``<row>/iframes.m3u8``.
    """
    known = measured or {}
    lines = [*HEADER, ""]
    sound = [known.get(row.name, (row.bandwidth, row.bandwidth)) for row in plan.audio]
    audio_peak = max((peak for peak, _ in sound), default=0)
    audio_average = max((average for _, average in sound), default=0)
    if not plan.video:
        for row in plan.audio:
            peak, average = known.get(row.name, (row.bandwidth, row.bandwidth))
            lines += [
                f"#EXT-X-STREAM-INF:BANDWIDTH={math.ceil(peak)},"
                f'AVERAGE-BANDWIDTH={math.ceil(average)},CODECS="{row.codecs}"',
                f"{row.name}/index.m3u8",
            ]
            break
        return "\n".join(lines) + "\n"
    lines += [_media(row) for row in plan.audio]
    lines += [_captions(track) for track in texts]
    for picture in plan.video:
        peak, average = known.get(picture.name, (picture.bandwidth, picture.average_bandwidth))
        codecs = ",".join(dict.fromkeys([picture.codecs, *(row.codecs for row in plan.audio)]))
        lines += [
            f"#EXT-X-STREAM-INF:BANDWIDTH={math.ceil(peak + audio_peak)},"
            f"AVERAGE-BANDWIDTH={math.ceil(average + audio_average)},"
            f'CODECS="{codecs}",RESOLUTION={picture.width}x{picture.height},'
            f"FRAME-RATE={picture.frame_rate:.3f}"
            + (f',AUDIO="{AUDIO_GROUP}"' if plan.audio else "")
            + (f',SUBTITLES="{TEXT_GROUP}"' if texts else ""),
            f"{picture.name}/index.m3u8",
        ]
    if key_frames is not None:
        lines.append(_key_frames(plan, key_frames))
    return "\n".join(lines) + "\n"


def media_playlist(plan: Plan, row: str) -> str:
    """The playlist of a row: ``init.mp4`` and ``<n>.m4s`` beside it, all segments, ended."""
    lengths = _lengths(plan, row)
    lines = _media_head(lengths)
    for index, length in enumerate(lengths):
        lines += [f"#EXTINF:{length:.6f},", f"{index}.m4s"]
    lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def key_frame_playlist(plan: Plan, key_frames: KeyFrames) -> str:
    """The key frames of a row (RFC 8216, 4.3.3.6), as ranges of its segments beside it.

    Each is shown until the next one: their lengths are those of the segments.
    """
    lengths = _lengths(plan, key_frames.row)
    lines = _media_head(lengths, "#EXT-X-I-FRAMES-ONLY")
    for index, (length, size) in enumerate(zip(lengths, key_frames.bytes, strict=True)):
        lines += [f"#EXTINF:{length:.6f},", f"#EXT-X-BYTERANGE:{size}@0", f"{index}.m4s"]
    lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def text_playlist(duration: float, name: str) -> str:
    """The playlist of captions that lie in one file for the whole film (seconds)."""
    lines = [
        *HEADER,
        f"#EXT-X-TARGETDURATION:{max(1, math.ceil(duration))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f"#EXTINF:{duration:.6f},",
        name,
        "#EXT-X-ENDLIST",
    ]
    return "\n".join(lines) + "\n"


def peak_bit_rate(segments: Sequence[tuple[int, float]]) -> float:
    """The peak of (bytes, seconds) segments in bits/s, as RFC 8216, 4.1 defines it.

    That is the largest rate of any run of segments that lasts 0.5 to 1.5 target durations: a short
    last segment counts together with the one before it. Where no run fits, the average.
    """
    target = max((round(seconds) for _, seconds in segments), default=1) or 1
    peak = 0.0
    for first in range(len(segments)):
        size, seconds = 0, 0.0
        for next_size, next_seconds in segments[first:]:
            size, seconds = size + next_size, seconds + next_seconds
            if seconds > 1.5 * target:
                break
            if seconds >= 0.5 * target:
                peak = max(peak, 8 * size / seconds)
    return peak or average_bit_rate(segments)


def average_bit_rate(segments: Sequence[tuple[int, float]]) -> float:
    """The average of (bytes, seconds) segments in bits/s."""
    seconds = sum(length for _, length in segments)
    return 8 * sum(size for size, _ in segments) / seconds if seconds else 0.0


def _lengths(plan: Plan, row: str) -> list[float]:
    return [plan.segment_duration(row, index) for index in range(plan.segment_count(row))]


def _media_head(lengths: Sequence[float], *more: str) -> list[str]:
    return [
        *HEADER,
        f"#EXT-X-TARGETDURATION:{max(1, *(math.floor(length + 0.5) for length in lengths))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        *more,
        '#EXT-X-MAP:URI="init.mp4"',
    ]


def _key_frames(plan: Plan, key_frames: KeyFrames) -> str:
    row = next(row for row in plan.video if row.name == key_frames.row)
    sizes = list(zip(key_frames.bytes, _lengths(plan, row.name), strict=True))
    return (
        f"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={math.ceil(peak_bit_rate(sizes))},"
        f"AVERAGE-BANDWIDTH={math.ceil(average_bit_rate(sizes))},"
        f'CODECS="{row.codecs}",RESOLUTION={row.width}x{row.height},'
        f'URI="{row.name}/iframes.m3u8"'
    )


def _captions(track: TextTrack) -> str:
    """Captions are chosen, not forced on people: many programs call the first track the default."""
    language = f',LANGUAGE="{track.language}"' if track.language else ""
    flag = "YES" if track.forced else "NO"
    return (
        f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="{TEXT_GROUP}",NAME="{track.label}"{language},'
        f'DEFAULT={flag},AUTOSELECT={flag},FORCED={flag},URI="{track.uri}"'
    )


def _media(row: AudioRow) -> str:
    language = f',LANGUAGE="{row.language}"' if row.language else ""
    default = "YES" if row.default else "NO"
    kind = f',CHARACTERISTICS="{DESCRIBES_VIDEO}"' if row.describes else ""
    return (
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO_GROUP}",NAME="{row.label}"{language},'
        f'DEFAULT={default},AUTOSELECT=YES{kind},CHANNELS="{row.channels}",'
        f'URI="{row.name}/index.m3u8"'
    )
