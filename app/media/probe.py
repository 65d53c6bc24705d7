"""Reading a file's facts with libavformat, under the same rules as ffmpeg's own inputs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from app.media import cage
from app.media.errors import MediaError, damaged, not_a_film
from app.media.facts import AudioFacts, Chapter, FrameIndex, SourceFacts, TextFacts, VideoFacts
from app.media.frames import read_frames
from app.media.picture import first_picture
from app.media.rhythm import measure

MAX_TEXT: Final = 32
MAX_CHAPTERS: Final = 200
TEXT_CODECS: Final = frozenset({"subrip", "ass", "mov_text", "webvtt", "text"})
"""Subtitles that are text, by FFmpeg's names; others are pictures and stay out."""
MAX_AUDIO: Final = 8
"""Sound tracks that are kept: more are no help to anyone and cost an encode each."""
IO_SECONDS: Final = (20.0, 20.0)


def probe(path: Path) -> SourceFacts:
    """The facts of the file at ``path``; reads the index of an MP4, the packets of the others.

    Raises MediaError (stage probe): not_a_film, no_streams, too_large_picture, too_long,
    too_many_streams, too_sparse, damaged.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise not_a_film("not a regular file, or empty")
    try:
        with av.open(
            f"file:{path}", options=cage.open_options(), metadata_errors="replace",
            timeout=IO_SECONDS,
        ) as container:  # fmt: skip
            return _facts(container, path)
    except MemoryError as error:  # more streams than cage.MAX_STREAMS, too
        raise _refused("too_many_streams", "This film has too many tracks.") from error
    except (av.FFmpegError, OSError, ValueError, OverflowError, EOFError) as error:
        raise not_a_film(f"{type(error).__name__}: {error}") from error


def _facts(container: InputContainer, path: Path) -> SourceFacts:
    if len(container.streams) > cage.MAX_STREAMS:
        raise _refused("too_many_streams", "This film has too many tracks.")
    start = Fraction(container.start_time or 0, av.time_base)
    video = _film(container)
    audio = tuple(_audio(stream) for stream in container.streams.audio if _usable(stream))
    notes: list[str] = []
    if len(audio) > MAX_AUDIO:
        notes.append(f"Only the first {MAX_AUDIO} of {len(audio)} sound tracks are kept.")
        audio = audio[:MAX_AUDIO]
    duration = (container.duration or 0) / av.time_base
    text = _text(container, notes)
    if video is None:
        if not audio:
            raise _refused("no_streams", "There is neither a picture nor sound in this file.")
        if duration > cage.MAX_SECONDS:
            raise _too_long()
        origin = Fraction(audio[0].start).limit_denominator(1_000_000)
        if duration <= 0:
            duration = _sound_seconds(container, origin)
        return SourceFacts(
            container.format.name, path.stat().st_size, duration, float(start), origin, None,
            audio, tuple(notes), text, _chapters(container, origin),
        )  # fmt: skip
    facts = _video(container, video, path)
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
    return SourceFacts(
        container.format.name, path.stat().st_size, measured, float(start), origin, facts, audio,
        tuple(notes), text, _chapters(container, origin),
    )  # fmt: skip


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


def _film(container: InputContainer) -> VideoStream | None:
    """The film among the pictures: not a cover, and of several the default or largest."""
    candidates = []
    for stream in container.streams.video:
        context = stream.codec_context
        if context is None or stream.disposition & (
            Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
        ):
            continue
        if context.width > cage.MAX_SIDE or context.height > cage.MAX_SIDE:
            raise _too_large()
        if context.width * context.height > cage.MAX_PIXELS:
            raise _too_large()
        if context.width > 0 and context.height > 0:
            candidates.append(stream)
    return max(
        candidates,
        key=lambda s: (s.codec_context.width * s.codec_context.height, -s.index),
        default=None,
    )


def _video(container: InputContainer, stream: VideoStream, path: Path) -> VideoFacts:
    context, time_base = stream.codec_context, stream.time_base
    if time_base is None or time_base <= 0:
        raise damaged("probe", "no time base")
    picture = first_picture(container, stream)
    if picture.width > cage.MAX_SIDE or picture.height > cage.MAX_SIDE:
        raise _too_large()
    if picture.width * picture.height > cage.MAX_PIXELS:
        raise _too_large()
    frames: FrameIndex = read_frames(container, stream, path)
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
        start=float((stream.start_time or 0) * base),
        duration=float(stream.duration * base) if stream.duration else None,
    )


def _sound_seconds(container: InputContainer, origin: Fraction) -> float:
    """The length of a sound file that does not state it, from its packets."""
    end = Fraction(0)
    for count, packet in enumerate(container.demux(container.streams.audio[0])):
        if packet.pts is not None and packet.time_base:
            end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        if count > cage.MAX_FRAMES:
            raise _too_long()
    return float(max(end - origin, Fraction(0)))


def _refused(code: str, message: str) -> MediaError:
    return MediaError(code, stage="probe", message=message, hint="Export it again as an MP4.")


def _too_large() -> MediaError:
    return _refused("too_large_picture", "The picture of this film is larger than 8K.")


def _too_long() -> MediaError:
    return _refused("too_long", "This film says that it is longer than a day.")
