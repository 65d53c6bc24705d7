"""The files beside a film that belong to it: captions, a `.nfo`, a picture. Names tell it alone.

    Film.mkv   Film.srt   Film.de.forced.vtt   Film.nfo   Film-poster.jpg   Film.jpg

In a folder with a single film `movie.nfo` and `poster.jpg`, `folder.jpg` or `cover.jpg` are its.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.media.tracks import LANGUAGES, language_of
from app.videos.imports.filenames import stem_of

_CAPTIONS: Final = frozenset({".srt", ".vtt"})
_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")
_MARKS: Final = {"forced": "forced", "sdh": "SDH", "cc": "SDH", "hi": "SDH"}
_THREE_LETTERS: Final = {
    "en": "eng", "de": "deu", "fr": "fra", "es": "spa", "it": "ita", "pt": "por", "nl": "nld",
    "pl": "pol", "tr": "tur", "ru": "rus", "uk": "ukr", "ja": "jpn", "ko": "kor", "zh": "zho",
    "ar": "ara", "sv": "swe", "da": "dan", "no": "nor", "fi": "fin", "cs": "ces", "el": "ell",
    "hi": "hin",
}  # fmt: skip
_CODES: Final = {name.casefold(): code for code, name in LANGUAGES.items()} | {
    "english": "eng", "german": "deu", "french": "fra", "spanish": "spa", "italian": "ita",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CaptionsFile:
    """A captions file; `language` is a code of two or three letters, empty where none is named."""

    path: Path
    language: str
    label: str
    forced: bool


@dataclass(slots=True)
class Sidecars:
    """What lies beside one film."""

    captions: list[CaptionsFile] = field(default_factory=list)
    nfo: Path | None = None
    picture: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """All of them."""
        others = [path for path in (self.nfo, self.picture) if path is not None]
        return [file.path for file in self.captions] + others


def sidecars_of(
    films: Sequence[Path], others: Sequence[Path], *, alone: bool
) -> dict[Path, Sidecars]:
    """What belongs to each of these films, among other files of their folder.

    `alone` says whether the folder has a single film.
    """
    found = {film: Sidecars() for film in films}
    stems = {stem_of(film.name): film for film in films}
    by_name = {path.name.casefold(): path for path in others}
    for path in sorted(others):
        if path.suffix.lower() in _CAPTIONS and (stem := _longest(stems, path.stem)) is not None:
            marks = path.stem[len(stem) :].split(".")[1:]
            found[stems[stem]].captions.append(_read_marks(path, marks))
    for stem, film in stems.items():
        pictures = [f"{stem}-poster", stem, *(("poster", "folder", "cover") if alone else ())]
        descriptions = [stem, *(("movie",) if alone else ())]
        found[film].picture = _first(by_name, pictures, _PICTURES)
        found[film].nfo = _first(by_name, descriptions, (".nfo",))
    return found


def _longest(stems: dict[str, Path], name: str) -> str | None:
    """The longest film's name that this one begins with: `Film.2.srt` belongs to `Film.2.mkv`."""
    fitting = [stem for stem in stems if name == stem or name.startswith(f"{stem}.")]
    return max(fitting, key=len, default=None)


def _read_marks(path: Path, marks: Sequence[str]) -> CaptionsFile:
    """Language and kind out of what stands between the film's name and the ending."""
    language = ""
    kinds: dict[str, None] = {}
    for mark in (mark.casefold() for mark in marks):
        code = _CODES.get(mark) or language_of(mark.replace("_", "-").split("-")[0])
        if mark in _MARKS and (language or mark != "hi"):  # hi: Hindi, or hearing impaired
            kinds[_MARKS[mark]] = None
        elif code and not language and (len(code) == 3 or code in _THREE_LETTERS):
            language = code
    name = LANGUAGES.get(_THREE_LETTERS.get(language, language)) or language or "Captions"
    label = ", ".join([name, *kinds])
    return CaptionsFile(path, language, label, forced="forced" in kinds)


def _first(by_name: dict[str, Path], stems: Sequence[str], endings: Sequence[str]) -> Path | None:
    names = (f"{stem}{ending}".casefold() for stem in stems for ending in endings)
    return next((by_name[name] for name in names if name in by_name), None)
