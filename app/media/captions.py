"""Captions: whatever text track it was, it becomes WebVTT of our own writing.

Text is parsed into cues and written anew, so nothing of the original's markup, styles, addresses or
scripts survives: only italics, bold and underline, times, and characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import pysubs2
from pysubs2.formats.substation import parse_tags

MAX_CUES: Final = 20_000
"""A film of a day with a cue every four seconds."""

MAX_CUE_TEXT: Final = 2_000
HEADER: Final = "WEBVTT\n"
_COMMENTS: Final = re.compile(r"^(NOTE|STYLE|REGION)\b.*?(?=\n\n|\Z)", re.DOTALL | re.MULTILINE)


class NotCaptions(ValueError):
    """The bytes are no captions that we read; the text says it for a person."""


@dataclass(frozen=True)
class Cue:
    """A caption: from, to (seconds of film time), and lines of WebVTT cue text."""

    start: float
    end: float
    text: str


def read_captions(data: bytes, shift: float = 0.0) -> list[Cue]:
    """The cues of an SRT or WebVTT file in order, `shift` seconds later.

    What would be shown before the film begins is left out. Raises NotCaptions.
    """
    text = decode(data)
    text = _COMMENTS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    try:
        parsed = pysubs2.SSAFile.from_string(text, format_=_format(text))
    except (pysubs2.Pysubs2Error, ValueError, OverflowError) as error:
        raise NotCaptions("This is no SRT or WebVTT file that we can read.") from error
    if len(parsed) > MAX_CUES:
        raise NotCaptions(f"These are more than {MAX_CUES} captions.")
    cues = []
    for event in sorted(parsed, key=lambda event: (event.start, event.end)):
        start, end = event.start / 1000 + shift, event.end / 1000 + shift
        written = _cue_text(event.text)
        if written and end > max(start, 0.0):
            cues.append(Cue(max(start, 0.0), end, written))
    if not cues:
        raise NotCaptions("There is no caption in this file.")
    return cues


def to_webvtt(cues: Iterable[Cue]) -> str:
    """The captions as a WebVTT file (W3C WebVTT, section 4)."""
    blocks = [f"{_time(cue.start)} --> {_time(cue.end)}\n{cue.text}\n" for cue in cues]
    return "\n".join([HEADER, *blocks])


def plain(text: str) -> str:
    """One line of characters that are safe as cue text."""
    return _escape(" ".join("".join(c if c.isprintable() else " " for c in text).split()))


def decode(data: bytes) -> str:
    """The text of a captions file: UTF-8, UTF-16 with its mark, else Windows' Latin."""
    for mark, name in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(name, "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _format(text: str) -> str:
    return "vtt" if text.lstrip().startswith("WEBVTT") else "srt"


def _cue_text(text: str) -> str:
    """Cue text with its italics, bold and underline, from SubStation's, which the parser uses."""
    written = []
    for fragment, style in parse_tags(text[:MAX_CUE_TEXT]):
        lines = fragment.replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " ").split("\n")
        kept = "\n".join(_escape(_printable(line)) for line in lines)
        for name, on in (("i", style.italic), ("b", style.bold), ("u", style.underline)):
            if on and kept.strip():
                kept = f"<{name}>{kept}</{name}>"
        written.append(kept)
    # An empty line would end the cue.
    return "\n".join(line.strip() for line in "".join(written).split("\n") if line.strip())


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float) -> str:
    whole = round(seconds * 1000)
    minutes, milliseconds = divmod(whole, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
