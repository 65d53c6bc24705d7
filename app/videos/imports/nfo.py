"""What a `.nfo` file of Kodi says of a film: https://kodi.wiki/view/NFO_files.

The file is a stranger's XML. A document type is refused before anything is parsed, and with it
every entity, so that nothing is fetched and nothing grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from app.media.captions import decode
from app.videos.imports.filenames import Named

MAX_BYTES: Final = 10**6


class NotNfo(ValueError):
    """The bytes are nothing that we read; the text says it for a person."""


@dataclass(frozen=True, slots=True)
class Nfo:
    """What it says; what it leaves out is empty. `named` is None where it has no title."""

    named: Named | None = None
    plot: str = ""
    genre: str = ""
    year: int | None = None

    @property
    def title(self) -> str:
        """The name in one line, as `Named.title`."""
        return self.named.title if self.named else ""


def read_nfo(data: bytes) -> Nfo:
    """Read the file of a film (`movie`, `musicvideo`) or an episode. Raises NotNfo."""
    text = decode(data).strip()
    if len(data) > MAX_BYTES:
        raise NotNfo("This .nfo file is too large.")
    if "<!DOCTYPE" in text:
        raise NotNfo("A .nfo file with a document type is not read.")
    try:
        # Text, not bytes: an encoding that the file claims must not bring a document type back.
        root = ElementTree.fromstring(text)  # noqa: S314 - no document type, so no entities
    except (ElementTree.ParseError, ValueError):
        raise NotNfo("This .nfo file is no XML that we can read.") from None
    if root.tag not in {"movie", "musicvideo", "episodedetails"}:
        raise NotNfo("This .nfo file is not about a film.")
    title = _line(root, "title")
    season, episode = _number(root, "season"), _number(root, "episode")
    if root.tag == "episodedetails" and episode is not None:
        named = Named(_line(root, "showtitle"), None, season or 0, episode, title)
    else:
        named = Named(title)
    genres = [genre for genre in root.findall("genre") if _clean(genre.text)]
    return Nfo(
        named=named if named.title else None,
        plot=_text(root, "plot") or _text(root, "outline"),
        genre=_clean(genres[0].text) if genres else "",
        year=_number(root, "year"),
    )


def _line(root: ElementTree.Element, name: str) -> str:
    return _clean(root.findtext(name))


def _text(root: ElementTree.Element, name: str) -> str:
    """Text of several lines."""
    lines = (_clean(line) for line in (root.findtext(name) or "").splitlines())
    return "\n".join(lines).strip()


def _number(root: ElementTree.Element, name: str) -> int | None:
    found = _line(root, name)
    return int(found) if found.isascii() and found.isdigit() and len(found) <= 4 else None


def _clean(text: str | None) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text or "").split())
