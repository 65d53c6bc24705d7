"""What a film's file name says: its title, and where they stand in it year, season and episode.

Names of releases are cut where the technical words begin; a name that has none is left as a person
wrote it. A year or a technical word that opens a name is part of the title, as in `2012.2009.1080p`
or `1917 (2019)`. Libraries for this take names of home films apart ("clip 720" becomes season 7,
episode 20, and "The Web" loses its web), so this one is careful instead of clever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_DASH: Final = "\N{EN DASH}"

MAX_NAME: Final = 512
"""Characters that are looked at; no file system has longer names."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a name says; `name` is the film's or the series', `part` the title of the episode."""

    name: str
    year: int | None = None
    season: int | None = None
    episode: int | None = None
    part: str = ""

    @property
    def title(self) -> str:
        """One line for a list: `Film`, or the series, `S01E02` and the part."""
        pieces = (self.name, self.number, self.part)
        return f" {_DASH} ".join(piece for piece in pieces if piece)

    @property
    def own_title(self) -> str:
        """The title of an episode among those of its series: the part, else `S01E02`."""
        return self.part or self.number

    @property
    def number(self) -> str:
        """`S01E02` of an episode, else nothing."""
        return "" if self.episode is None else f"S{self.season or 0:02}E{self.episode:02}"


_ENDS: Final = f" .,+-{_DASH}"
_TECHNICAL: Final = re.compile(
    r"""(?<![^\W_])(?:
        (?:480|576|720|1080|1440|2160|4320)[pi] | 4k | uhd | hdr(?:10)?\+? | 10bit | 8bit
        | blu-?ray | b[dr]-?rip | brrip | dvd-?rip | dvd(?:scr|[59r])? | hd-?rip | hdtv(?:rip)?
        | pdtv | web-?dl | web-?rip | vhs-?rip | tv-?rip | remux | cam-?rip
        | [xh][ .]?26[45] | hevc | avc | xvid | divx | av1 | vp9
        | aac(?:2\.0|5\.1)? | e?ac3 | ddp?[ .]?[257]\.[01] | dts(?:-hd)? | truehd | atmos | flac
    )(?![^\W_])""",
    re.IGNORECASE | re.VERBOSE,
)
_EPISODE: Final = re.compile(
    r"(?<![^\W_])s(?P<season>\d{1,2})[ ._-]?e(?P<episode>\d{1,3})(?:-?e\d{1,3})*(?!\d)",
    re.IGNORECASE,
)
_CROSSED: Final = re.compile(
    r"(?<![^\W_])(?P<season>\d{1,2})x(?P<episode>\d{2,3})(?![^\W_])", re.IGNORECASE
)
_YEAR: Final = re.compile(r"(?<![^\W_])(?:19[0-9]{2}|20[0-9]{2})(?![^\W_])")
_BRACKETED_YEAR: Final = re.compile(r"[\[({](19[0-9]{2}|20[0-9]{2})[\])}]")
_CAMERA: Final = re.compile(r"(?:img|vid|mvi|mov|pxl|dsc[nf]?|dji|gopr|gh)[_-]?\d", re.IGNORECASE)
_GROUP_FIRST: Final = re.compile(r"^\[[^\]]{1,40}\][ ._-]*(?=[^\s\[(])")
_BRACKETS: Final = re.compile(r"[\[({]\s*[\])}]")
_INITIALS: Final = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.){2,}")


def read_name(filename: str) -> Named:
    """Read a file's name, with its ending, which may be anything. `name` may come out empty."""
    stem = stem_of(filename)[:MAX_NAME]
    episode = _EPISODE.search(stem) or _crossed(stem)
    if episode is None:
        return Named(*_name_and_year(stem))
    name, year = _name_and_year(stem[: episode.start()])
    part = stem[episode.end() :]
    technical = _TECHNICAL.search(part)
    part = _words(part[: technical.start()] if technical else part, _is_dotted(stem))
    return Named(name, year, int(episode["season"]), int(episode["episode"]), part)


def stem_of(filename: str) -> str:
    """The name without its ending: what follows the last dot, unless that is a number or words."""
    stem, dot, ending = filename.rpartition(".")
    return stem if dot and stem and ending.isalnum() and not ending.isdigit() else filename


def _crossed(stem: str) -> re.Match[str] | None:
    """`1x02`, of a name that goes before it: alone it might be a size, or a sum."""
    found = _CROSSED.search(stem)
    return found if found and found.start() else None


def _name_and_year(text: str) -> tuple[str, int | None]:
    """The words before the year of release and the technical words, and that year."""
    dotted = _is_dotted(text)
    technical = next(
        (found for found in _TECHNICAL.finditer(text) if _words(text[: found.start()], dotted)),
        None,
    )
    if technical:
        text = _GROUP_FIRST.sub("", text[: technical.start()])
    year = _year(text, released=technical is not None or (dotted and not _CAMERA.match(text)))
    if year is None:
        return _words(text, dotted), None
    return _words(text[: year.start()], dotted), int(year[0].strip("[](){}"))


def _year(text: str, *, released: bool) -> re.Match[str] | None:
    """The year of release: the last one in brackets, and in names of releases the last of all.

    One that opens the name is its title.
    """
    for kind in (_BRACKETED_YEAR, *((_YEAR,) if released else ())):
        found = [year for year in kind.finditer(text) if _words(text[: year.start()], dotted=True)]
        if found:
            last: re.Match[str] = found[-1]
            return last
    return None


def _is_dotted(text: str) -> bool:
    """Whether dots or underscores stand for the spaces."""
    return " " not in text.strip()


def _words(text: str, dotted: bool) -> str:
    """One line of words, without brackets that were cut open and signs at its ends."""
    initials = _INITIALS.findall(text)
    if dotted:
        text = text.replace(".", " ")
        for found in initials:
            text = text.replace(found.replace(".", " "), f"{found} ", 1)
    text = "".join(sign if sign.isprintable() and sign != "_" else " " for sign in text)
    text = _BRACKETS.sub(" ", text.rstrip(f"{_ENDS}[({{"))
    words = " ".join(text.split()).lstrip(_ENDS)
    return f"{words}." if initials and f"{words}.".endswith(initials[-1]) else words
