"""The sound and text rows of a plan: one for each track, with a name for the player's menu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from app.media.facts import AudioFacts, SourceFacts, TextFacts
from app.media.grid import AAC_FRAME, AudioRow, TextRow, make_chunks

AUDIO_RATE: Final = 48_000
SURROUND: Final = 6
"""Channels of 5.1, the most that browsers are sure to play in AAC."""

BITS: Final = {1: 64_000, 2: 128_000, SURROUND: 384_000}
"""Bits/s of AAC-LC by channels."""

BOXES: Final = 16_000
"""What a promise adds for boxes and for the encoder's unsteadiness."""

AUDIO_SEGMENT: Final = 188 * AAC_FRAME
"""4.01 s at 48 kHz: whole AAC frames, next to the video's 4 s."""
EVEN: Final = "even volume"
DESCRIBES: Final = "described"
COMMENT: Final = "commentary"
"""What a track without a title is called after its language."""
LANGUAGES: Final = {
    "eng": "English", "deu": "Deutsch", "ger": "Deutsch", "fra": "Français", "fre": "Français",
    "spa": "Español", "ita": "Italiano", "por": "Português", "nld": "Nederlands",
    "dut": "Nederlands", "pol": "Polski", "tur": "Türkçe", "rus": "Русский", "ukr": "Українська",
    "jpn": "日本語", "kor": "한국어", "zho": "中文", "chi": "中文", "ara": "العربية",
    "swe": "Svenska", "dan": "Dansk", "nor": "Norsk", "fin": "Suomi", "ces": "Čeština",
    "cze": "Čeština", "ell": "Ελληνικά", "gre": "Ελληνικά", "hin": "हिन्दी",
}  # fmt: skip


def audio_rows(
    facts: SourceFacts,
    duration: float,
    chunk_segments: int,
    decisions: list[str],
    normalise: float = 0.0,
) -> tuple[AudioRow, ...]:
    """Rows that are exactly as long as the film (``duration`` in seconds, up to a whole AAC
    frame), with a second form of each whose loudness is ``normalise`` (LUFS) unless that is 0;
    sentences about what is done and lost are added to ``decisions``."""
    chosen = _default(facts.audio)
    if chosen is None:
        decisions.append("There is no sound.")
    if len(facts.audio) > 1:
        decisions.append(f"All {len(facts.audio)} sound tracks can be chosen.")
    rows: list[AudioRow] = []
    labels: set[str] = set()
    for track in facts.audio:
        label = _label(track, len(rows) + 1, labels)
        labels.add(label)
        frames = max(1, -(-int(duration * AUDIO_RATE) // AAC_FRAME))
        channels = min(track.channels, 2)
        total = frames * AAC_FRAME
        row = AudioRow(
            name=f"audio-{len(rows)}",
            mode="encode",
            stream=track.index,
            language=language_of(track.language),
            label=label,
            default=track is chosen,
            channels=channels,
            rate=AUDIO_RATE,
            codecs="mp4a.40.2",
            bandwidth=BITS[channels] + BOXES,
            segment=AUDIO_SEGMENT,
            total=total,
            chunks=make_chunks(-(-total // AUDIO_SEGMENT), chunk_segments),
            origin=float(facts.origin),
            describes=track.describes,
            counted=track.counted,
            shifts=track.shifts if len(track.shifts) > 1 else (),
        )
        decisions += [said for said in _edges(facts, track, duration) if said not in decisions]
        rows.append(row)
        if normalise:
            rows.append(_even(row, len(rows), normalise))
            labels.add(rows[-1].label)
            decisions.append(f"“{label}” is also offered with an even volume.")
        if track.channels >= SURROUND:
            rows.append(_surround(row, len(rows)))
            labels.add(rows[-1].label)
            decisions.append(f"Surround sound ({track.layout}) is offered as 5.1 and as stereo.")
        elif track.channels > 2:
            decisions.append(f"Surround sound ({track.layout}) is mixed down to stereo.")
    return tuple(rows)


def _default(tracks: Sequence[AudioFacts]) -> AudioFacts | None:
    """The track that plays unasked: of the film's own the file's default, else the first. In
    Matroska a track is a default unless it says otherwise, so that says little."""
    own = [track for track in tracks if not (track.describes or track.comment)] or tracks
    return next((track for track in own if track.default), own[0] if own else None)


def _edges(facts: SourceFacts, track: AudioFacts, duration: float) -> list[str]:
    """Where the sound begins or ends otherwise than the picture, by a second or more."""
    if facts.video is None or len(track.shifts) > 1:
        return []
    late = track.start - float(facts.origin)
    said = []
    if late >= 1:
        said.append(f"Sound begins {late:.0f} s after the first picture; it is silent before.")
    if late <= -1:
        said.append(f"Sound begins {-late:.0f} s before the first picture; cut.")
    over = late + (track.duration or duration - late) - duration
    if over > 1:
        said.append(f"Sound goes on {over:.0f} s after the last picture; cut.")
    if over < -1:
        said.append(f"Sound ends {-over:.0f} s before the last picture; it is silent from there.")
    return said


def _even(own: AudioRow, number: int, normalise: float) -> AudioRow:
    """The same track with its loudness brought to a target."""
    return replace(
        own,
        name=f"audio-{number}",
        label=f"{own.label}, {EVEN}",
        default=False,
        normalise=normalise,
    )


def _surround(stereo: AudioRow, number: int) -> AudioRow:
    """The same track with its surround channels, beside the stereo that every device plays."""
    return replace(
        stereo,
        name=f"audio-{number}",
        label=f"{stereo.label} 5.1",
        default=False,
        channels=SURROUND,
        bandwidth=BITS[SURROUND] + BOXES,
    )


def text_rows(facts: SourceFacts) -> tuple[TextRow, ...]:
    """A row for each text track."""
    rows: list[TextRow] = []
    labels: set[str] = set()
    for track in facts.text:
        label = _label(track, len(rows) + 1, labels)
        labels.add(label)
        rows.append(
            TextRow(
                stream=track.index,
                language=language_of(track.language),
                label=label,
                default=track.default,
                forced=track.forced,
                origin=float(facts.origin),
            )
        )
    return tuple(rows)


def language_of(tag: str) -> str:
    """The tag if it is a language code (ISO 639) of two or three letters, else nothing."""
    tag = tag.strip().lower()
    return tag if tag.isascii() and tag.isalpha() and len(tag) in {2, 3} and tag != "und" else ""


def label_of(title: str) -> str:
    """A title without what a playlist cannot carry."""
    return "".join(c for c in title if c.isprintable() and c not in '"\\')[:60].strip()


def _label(track: AudioFacts | TextFacts, number: int, taken: set[str]) -> str:
    """A name for the track menu: the track's title without what a playlist cannot carry."""
    language = LANGUAGES.get(language_of(track.language), "")
    label = label_of(track.title)
    if not label:
        label = language or f"Track {number}"
        if isinstance(track, AudioFacts) and (track.describes or track.comment):
            label = f"{label}, {DESCRIBES if track.describes else COMMENT}"
    return label if label not in taken else f"{label} {number}"
