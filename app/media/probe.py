"""Reading a file's facts with libavformat, under the same rules as ffmpeg's own inputs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from app.media import cage
from app.media.arrivals import marks_of
from app.media.errors import MediaError, damaged, not_a_film, too_demanding
from app.media.facts import (
    AudioFacts,
    Chapter,
    FrameIndex,
    Mark,
    SourceFacts,
    TextFacts,
    VideoFacts,
)
from app.media.frames import read_frames
from app.media.jumps import TICK, straighten
from app.media.picture import first_picture
from app.media.rhythm import measure

MAX_TEXT: Final = 32
MAX_CHAPTERS: Final = 200
TEXT_CODECS: Final = frozenset({"subrip", "ass", "mov_text", "webvtt", "text"})
"""Subtitles that are text, by FFmpeg's names; others are pictures and stay out."""
MAX_AUDIO: Final = 8
"""Sound tracks that are kept: more are no help to anyone and cost an encode each."""
MEASURED: Final = frozenset({"aac", "mpegts"})
"""Containers whose length libavformat only estimates: by the bit rate, or by the first and last
time stamp."""
ADTS_RATES: Final = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
)  # fmt: skip
"""Samples a second by the index in an ADTS header (ISO/IEC 14496-3, 1.6.3.4)."""
IO_SECONDS: Final = (20.0, 20.0)


def probe(path: Path, whole: int | None = None) -> SourceFacts:
    """The facts of the file at ``path``; reads the index of an MP4, the packets of the others.

    ``whole`` is the size in bytes of a file of which only the front is there; only one of which
    ``arrivals.can_begin`` is true gives facts then, with its marks.

    Raises MediaError (stage probe): not_a_film, no_streams, too_large_picture, too_long,
    too_many_streams, too_sparse, too_demanding, damaged.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise not_a_film("not a regular file, or empty")
    try:
        with av.open(
            f"file:{path}", options=cage.open_options(), metadata_errors="replace",
            timeout=IO_SECONDS,
        ) as container:  # fmt: skip
            return _facts(container, path, whole)
    except MemoryError as error:
        if not isinstance(error, av.FFmpegError):
            raise too_demanding(repr(error)) from error
        # libavformat says so of more streams than cage.MAX_STREAMS, too
        raise _refused("too_many_streams", "This film has too many tracks.") from error
    except (av.FFmpegError, OSError, ValueError, OverflowError, EOFError) as error:
        raise not_a_film(f"{type(error).__name__}: {error}") from error


def _facts(container: InputContainer, path: Path, whole: int | None) -> SourceFacts:
    if len(container.streams) > cage.MAX_STREAMS:
        raise _refused("too_many_streams", "This film has too many tracks.")
    start = Fraction(container.start_time or 0, av.time_base)
    notes: list[str] = []
    video = _film(container, notes)
    audio = tuple(_audio(stream) for stream in container.streams.audio if _usable(stream))
    if len(audio) > MAX_AUDIO:
        notes.append(f"Only the first {MAX_AUDIO} of {len(audio)} sound tracks are kept.")
        audio = audio[:MAX_AUDIO]
    duration = (container.duration or 0) / av.time_base
    if duration <= 0:
        notes.append("The file does not say how long it is; it was measured.")
    text = _text(container, notes)
    if video is None:
        if whole is not None:
            raise damaged("probe", "sound is not begun before its end")
        if not audio:
            raise _refused("no_streams", "There is neither a picture nor sound in this file.")
        origin = Fraction(audio[0].start).limit_denominator(1_000_000)
        if duration <= 0 or container.format.name in MEASURED:
            audio, duration = _measured(container, path, audio, origin)
        if duration > cage.MAX_SECONDS:
            raise _too_long()
        return SourceFacts(
            container.format.name, path.stat().st_size, duration, float(start), origin, None,
            audio, tuple(notes), text, _chapters(container, origin),
        )  # fmt: skip
    facts = _video(container, video, path, whole)
    audio = tuple(replace(track, shifts=facts.frames.sound.get(track.index, ())) for track in audio)
    shown = facts.frames.shown
    origin = shown[0] * facts.time_base
    step = 1 / facts.rhythm.rate
    measured = float((shown[-1] - shown[0]) * facts.time_base + step)
    if not facts.frames.complete:
        measured = max(measured, duration - float(max(origin - start, Fraction(0))))
        notes.append("The file is too large to look at every picture beforehand.")
    if facts.frames.cut:
        notes.append("The file is cut off; what is there is converted.")
    if measured > cage.MAX_SECONDS:
        raise _too_long()
    if measured > cage.SPARSE_SECONDS and measured / len(shown) > cage.SPARSE_GAP:
        raise _refused("too_sparse", "This film has hardly any pictures for its length.")
    if whole is not None:
        frames = replace(facts.frames, marks=_marks(video, origin))
        facts = replace(facts, frames=frames)
        streams = container.streams
        audio = tuple(replace(track, marks=_marks(streams[track.index], origin)) for track in audio)
    return SourceFacts(
        container.format.name, whole or path.stat().st_size, measured, float(start), origin, facts,
        audio, tuple(notes), text, _chapters(container, origin),
    )  # fmt: skip


def _marks(stream: Stream, origin: Fraction) -> tuple[Mark, ...]:
    """Where which part of a stream lies, by the container's index."""
    base, entries = stream.time_base or Fraction(1, 1000), stream.index_entries
    times = [float(entry.timestamp * base - origin) for entry in entries]
    return marks_of(times, [(entry.pos, entry.pos + entry.size) for entry in entries])


def _text(container: InputContainer, notes: list[str]) -> tuple[TextFacts, ...]:
    """The text tracks; picture subtitles are named in the notes."""
    found, pictures = [], 0
    for stream in container.streams.subtitles:
        context = stream.codec_context
        name = context.codec.canonical_name if context is not None else ""
        if name not in TEXT_CODECS:
            pictures += 1
            continue
        found.append(
            TextFacts(
                index=stream.index,
                language=str(stream.metadata.get("language", "") or ""),
                title=str(stream.metadata.get("title", "") or ""),
                default=bool(stream.disposition & Disposition.default),
                forced=bool(stream.disposition & Disposition.forced),
            )
        )
    if pictures:
        notes.append(f"Subtitles that are pictures cannot be taken over ({pictures} of them).")
    return tuple(found[:MAX_TEXT])


def _chapters(container: InputContainer, origin: Fraction) -> tuple[Chapter, ...]:
    chapters = []
    for number, found in enumerate(container.chapters()[:MAX_CHAPTERS], 1):
        base = found["time_base"] or Fraction(1, 1000)
        start, end = (float(found[name] * base - origin) for name in ("start", "end"))
        title = str(found["metadata"].get("title", "") or "") or f"Chapter {number}"
        if end > max(start, 0.0):
            chapters.append(Chapter(max(start, 0.0), end, title[:200]))
    return tuple(chapters)


def _film(container: InputContainer, notes: list[str]) -> VideoStream | None:
    """The film among the pictures: not a cover, and of several the largest."""
    candidates, covers = [], 0
    for stream in container.streams.video:
        context = stream.codec_context
        if context is None or stream.disposition & (
            Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
        ):
            covers += 1
            continue
        if context.width > cage.MAX_SIDE or context.height > cage.MAX_SIDE:
            raise _too_large()
        if context.width * context.height > cage.MAX_PIXELS:
            raise _too_large()
        if context.width > 0 and context.height > 0:
            candidates.append(stream)
    if covers:
        notes.append("A cover picture in the file is no part of the film.")
    if len(candidates) > 1:
        notes.append(f"Of {len(candidates)} films in the file the largest is kept.")
    return max(
        candidates,
        key=lambda s: (s.codec_context.width * s.codec_context.height, -s.index),
        default=None,
    )


def _video(
    container: InputContainer, stream: VideoStream, path: Path, whole: int | None
) -> VideoFacts:
    context, time_base = stream.codec_context, stream.time_base
    if time_base is None or time_base <= 0:
        raise damaged("probe", "no time base")
    picture = first_picture(container, stream)
    if picture.width > cage.MAX_SIDE or picture.height > cage.MAX_SIDE:
        raise _too_large()
    if picture.width * picture.height > cage.MAX_PIXELS:
        raise _too_large()
    frames: FrameIndex = read_frames(container, stream, path, whole)
    if not len(frames):
        raise damaged("probe", "no pictures in the index")
    stated = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    rhythm = measure(frames.shown, time_base, stated)
    sar = stream.sample_aspect_ratio or context.sample_aspect_ratio
    if not sar or not Fraction(1, 8) <= sar <= 8:
        sar = Fraction(1)
    return VideoFacts(
        index=stream.index,
        codec=context.codec.canonical_name,
        profile=str(context.profile or ""),
        level=picture.level,
        width=picture.width,
        height=picture.height,
        sar=sar,
        rotation=picture.rotation,
        mirrored=picture.mirrored,
        pix_fmt=picture.pix_fmt,
        bit_depth=picture.bit_depth,
        rate=stream.average_rate,
        rhythm=rhythm,
        full_range=picture.full_range,
        primaries=context.color_primaries,
        transfer=context.color_trc,
        matrix=context.colorspace,
        interlaced=picture.interlaced,
        extradata=bytes(context.extradata or b""),
        time_base=time_base,
        start=stream.start_time or 0,
        frames=frames,
        dolby=picture.dolby,
    )


def _usable(stream: AudioStream) -> bool:
    context = stream.codec_context
    return context is not None and context.sample_rate > 0 and context.channels > 0


def _audio(stream: AudioStream) -> AudioFacts:
    context, base = stream.codec_context, stream.time_base or Fraction(1, 1000)
    return AudioFacts(
        index=stream.index,
        codec=context.codec.canonical_name,
        profile=str(context.profile or ""),
        channels=context.channels,
        layout=context.layout.name,
        rate=context.sample_rate,
        language=str(stream.metadata.get("language", "") or ""),
        title=str(stream.metadata.get("title", "") or ""),
        default=bool(stream.disposition & Disposition.default),
        describes=bool(
            stream.disposition & (Disposition.descriptions | Disposition.visual_impaired)
        ),
        comment=bool(stream.disposition & Disposition.comment),
        counted=stream.container.format.name == "aac",
        start=float((stream.start_time or 0) * base),
        duration=float(stream.duration * base) if stream.duration else None,
    )


def _measured(
    container: InputContainer, path: Path, audio: tuple[AudioFacts, ...], origin: Fraction
) -> tuple[tuple[AudioFacts, ...], float]:
    """The tracks of a sound file, and its length in seconds from its packets."""
    if container.format.name == "mpegts":
        straight = straighten(path, audio[0].index)
        length = float((straight.packets[-1].pts - straight.packets[0].pts) * TICK)
        shifts = {**straight.sound, audio[0].index: tuple(float(s * TICK) for s in straight.shifts)}
        return tuple(replace(track, shifts=shifts.get(track.index, ())) for track in audio), length
    end = Fraction(0)
    for count, packet in enumerate(container.demux(container.streams.audio[0])):
        if container.format.name == "aac":
            end += _adts_seconds(bytes(packet)[:4])
        elif packet.pts is not None and packet.time_base:
            end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base - origin)
        if count > cage.MAX_FRAMES:
            raise _too_long()
    return audio, float(max(end, Fraction(0)))


def _adts_seconds(header: bytes) -> Fraction:
    """The length of an ADTS frame, which may change its rate from one to the next."""
    index = header[2] >> 2 & 15 if len(header) > 2 else 15
    return Fraction(1024, ADTS_RATES[index]) if index < len(ADTS_RATES) else Fraction(0)


def _refused(code: str, message: str) -> MediaError:
    return MediaError(code, stage="probe", message=message, hint="Export it again as an MP4.")


def _too_large() -> MediaError:
    return _refused("too_large_picture", "The picture of this film is larger than 8K.")


def _too_long() -> MediaError:
    return _refused("too_long", "This film says that it is longer than a day.")
