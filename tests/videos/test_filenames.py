"""What names of films say, and what is kept as it was written."""

from __future__ import annotations

import json

import pytest

from app.videos.imports.filenames import MAX_NAME, Named, read_name
from app.videos.imports.nfo import MAX_BYTES, NotNfo, read_nfo
from tests.films import real_film

DASH = "\N{EN DASH}"

NAMES = [
    ("Film.Name.2019.1080p.BluRay.x264-GROUP.mkv", Named("Film Name", 2019)),
    ("2012.2009.1080p.mkv", Named("2012", 2009)),
    ("1917 (2019).mkv", Named("1917", 2019)),
    ("1917.mkv", Named("1917")),
    ("Blade Runner 2049 (2017).mkv", Named("Blade Runner 2049", 2017)),
    ("Blade.Runner.2049.2017.2160p.UHD.mkv", Named("Blade Runner 2049", 2017)),
    ("2001 A Space Odyssey.mkv", Named("2001 A Space Odyssey")),
    ("2001.A.Space.Odyssey.1968.720p.mkv", Named("2001 A Space Odyssey", 1968)),
    ("Das Boot [1981] [720p].mkv", Named("Das Boot", 1981)),
    ("[Group] Film Name [1080p].mkv", Named("Film Name")),
    ("Film (Director's Cut) (1999).mkv", Named("Film (Director's Cut)", 1999)),
    ("S.W.A.T.2003.DVDRip.avi", Named("S.W.A.T.", 2003)),
    ("U.S. Marshals (1998).mkv", Named("U.S. Marshals", 1998)),
    ("Film.Name.2019", Named("Film Name", 2019)),
    ("Amélie.2001.FRENCH.1080p.mkv", Named("Amélie", 2001)),
    ("日本語動画.mp4", Named("日本語動画")),
    # of home films nothing is lost
    ("My holiday film.mp4", Named("My holiday film")),
    ("Birthday 2019-05-03.mp4", Named("Birthday 2019-05-03")),
    ("We met in 2012 in Rome.mp4", Named("We met in 2012 in Rome")),
    ("IMG_2034.MOV", Named("IMG 2034")),
    ("2020-05-03 12.33.11.mp4", Named("2020-05-03 12.33.11")),
    ("clip 720.mp4", Named("clip 720")),
    ("The Web.mp4", Named("The Web")),
    ("Vol.1 summary.mp4", Named("Vol.1 summary")),
    ("4K.mkv", Named("4K")),
    # series
    ("Show.Name.S01E02.Title.mkv", Named("Show Name", None, 1, 2, "Title")),
    ("Show.2019.S02E10.1080p.mkv", Named("Show", 2019, 2, 10)),
    ("Mr. Robot S01E02.mkv", Named("Mr. Robot", None, 1, 2)),
    ("Show - 1x02 - The One.mkv", Named("Show", None, 1, 2, "The One")),
    ("S01E02.mkv", Named("", None, 1, 2)),
]


@pytest.mark.parametrize(("filename", "said"), NAMES, ids=[name for name, _ in NAMES])
def test_a_name_says(filename: str, said: Named) -> None:
    assert read_name(filename) == said


def test_titles_of_episodes() -> None:
    assert read_name("Show.Name.S01E02.Title.mkv").title == f"Show Name {DASH} S01E02 {DASH} Title"
    assert read_name("Show.Name.S01E02.mkv").title == f"Show Name {DASH} S01E02"
    assert read_name("S01E02.mkv").title == "S01E02"


def test_any_name_gives_one_printable_line() -> None:
    names = json.loads(real_film("hostile/names.json").read_text())
    for name in [name for some in names.values() if isinstance(some, list) for name in some]:
        title = read_name(name).title
        assert title.isprintable()
        assert "  " not in title
        assert len(title) <= MAX_NAME


@pytest.mark.parametrize("piece", ["1080p.", "(", "2019.", "a.", "s01e", "[x] ", ". "])
def test_long_names_are_cut(piece: str) -> None:
    assert len(read_name(piece * 100_000).name) <= MAX_NAME


# .nfo files

BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><movie><title>&c;</title></movie>'
REFUSED = {
    "no XML": b"https://www.example.org/title/1",
    "an entity": BOMB.encode(),
    "an entity in UTF-16": BOMB.encode("utf-16"),
    "a file": b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><movie>&f;</movie>',
    "no film": b"<html><title>x</title></html>",
    "cut off": b"<movie><title>x</title>",
    "empty": b"",
    "too large": b"<movie>" + b" " * MAX_BYTES + b"</movie>",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_an_nfo_that_is_refused(data: bytes) -> None:
    with pytest.raises(NotNfo):
        read_nfo(data)


def test_an_nfo_of_a_film() -> None:
    said = read_nfo(
        b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-16'?><movie><title> Caf\xc3\xa9\n noir "
        b"</title><year>2019</year><plot>One &lt;b&gt;.\n\nTwo.</plot><genre/><genre>Drama</genre>"
        b"</movie>"
    )
    assert (said.title, said.year, said.genre) == ("Café noir", 2019, "Drama")
    assert said.plot == "One <b>.\n\nTwo."


def test_an_nfo_of_an_episode() -> None:
    said = read_nfo(
        b"<episodedetails><title>Pilot</title><showtitle>Show</showtitle><season>1</season>"
        b"<episode>2</episode><year>x</year></episodedetails>"
    )
    assert (said.title, said.year) == (f"Show {DASH} S01E02 {DASH} Pilot", None)


def test_a_deep_nfo_is_harmless() -> None:
    assert read_nfo(b"<movie>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</movie>").title == ""
