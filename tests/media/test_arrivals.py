"""A cell is made of the part of its film that the plan says, as if all of it were there."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from app.media import arrivals
from app.media.arrivals import (
    can_begin,
    entrance_of,
    marks_of,
    needed_to_begin,
    with_parts,
)
from app.media.cells import fill_chunk
from app.media.errors import MediaError
from app.media.excerpts import fill_excerpt
from app.media.filing import CellResult
from app.media.grid import AudioRow, Plan
from app.media.movindex import end_index, tells_all
from app.media.plan import PlanOptions, make_plan
from app.media.probe import probe

from .conftest import Clip, lavfi

Encode = Callable[[str, str], Path]

RARE = "-c:v libx264 -preset ultrafast -g 96"
OPEN = "-c:v libx264 -preset veryfast -x264-params open-gop=1:keyint=50:bframes=6:b-pyramid=normal"
FRONT = "-movflags +faststart"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "ENTRANCE_BYTES", 1 << 16)
    monkeypatch.setattr(arrivals, "FIRST_BYTES", 1 << 16)
    monkeypatch.setattr(arrivals, "AHEAD_BYTES", 1 << 14)


@pytest.fixture
def encode(make_clip: Clip) -> Encode:
    """A film of 40 s in moving bars with a tone."""

    def run(codec: str, options: str) -> Path:
        words = [*lavfi(seconds=40), "-pix_fmt", "yuv420p", *codec.split(), "-c:a", "aac"]
        name = f"arrivals-{sha256((codec + options).encode()).hexdigest()[:8]}.mp4"
        return make_clip(name, [*words, *options.split()])

    return run


def planned(film: Path, place: Path) -> Plan:
    """The plan of a film, made of no more than its front says that it takes."""
    data, part = film.read_bytes(), place / "entrance"
    entrance = entrance_of(BytesIO(data[: 1 << 16]), len(data))
    assert entrance is not None
    with part.open("wb") as file:
        file.write(data[: entrance.front])
        put_end(file, data, entrance.back)
    assert tells_all(BytesIO(part.read_bytes()))
    facts = probe(part, len(data))
    return with_parts(make_plan(facts, PlanOptions(copy=False)), facts, entrance)


def put_end(file: BinaryIO, data: bytes, back: int | None) -> None:
    if back is not None:
        file.seek(back)
        file.write(data[back:])


def part_of(film: Path, plan: Plan, row: str, chunk: int, place: Path) -> Path:
    """A file of nothing but the bytes that the cell needs."""
    data, path = film.read_bytes(), place / f"part-{row}-{chunk}"
    begin, end = plan.begins[row][chunk], plan.needs[row][chunk]
    with path.open("wb") as file:
        file.write(data[: min(plan.entrance, end)])
        file.seek(begin)
        file.write(data[begin:end])
        put_end(file, data, plan.back)
    return path


def made(film: Path, plan: Plan, row: str, chunk: int, place: Path, binary: str) -> CellResult:
    place.mkdir()
    if isinstance(plan.row(row), AudioRow):
        return fill_excerpt(film, plan, row, chunk, place, ffmpeg=binary, stop=lambda: False)
    (result,) = fill_chunk(
        film, plan, chunk, [row], place, ffmpeg=binary, stop=lambda: False, once=True
    )
    return result


@pytest.mark.parametrize("index", [FRONT, ""], ids=["index-first", "index-last"])
@pytest.mark.parametrize("codec", [RARE, OPEN, "-c:v mpeg4 -q:v 5 -g 25"])
def test_a_part_gives_the_same_cell(
    encode: Encode, codec: str, index: str, tmp_path: Path, binary: str
) -> None:
    film = encode(codec, index)
    plan = planned(film, tmp_path)
    parts = 0
    for row in (plan.video[-1].name, plan.audio[0].name):
        for chunk in range(len(plan.row_chunks(row))):
            part = part_of(film, plan, row, chunk, tmp_path)
            parts += plan.begins[row][chunk] > plan.entrance
            ways = (made(film, plan, row, chunk, tmp_path / f"{row}-{chunk}-{n}", binary)
                    for n, film in enumerate((film, part)))  # fmt: skip
            of_all, of_part = ways
            assert of_part.segments == of_all.segments, (row, chunk)
    assert parts >= 2, "some were not simply its front"


def test_what_is_missing_is_no_picture(encode: Encode, tmp_path: Path, binary: str) -> None:
    film = encode(RARE, FRONT)
    plan = planned(film, tmp_path)
    row, chunk = plan.video[-1].name, len(plan.chunks) - 1
    part = part_of(film, plan, row, chunk, tmp_path)
    begin = plan.begins[row][chunk]
    with part.open("r+b") as file:
        file.seek(begin)
        file.write(bytes((part.stat().st_size - begin) * 3 // 4))
    with pytest.raises(MediaError, match="damaged"):
        made(part, plan, row, chunk, tmp_path / "cell", binary)


@pytest.mark.parametrize(
    ("options", "begins", "tells"),
    [
        (FRONT, True, True),
        ("", False, True),
        ("-movflags +frag_keyframe+empty_moov", True, False),
    ],
)
def test_who_can_begin(
    encode: Encode, options: str, begins: bool, tells: bool, tmp_path: Path
) -> None:
    film = encode(RARE, options)
    with film.open("rb") as file:
        needed = needed_to_begin(file)
        assert (needed is not None) is begins
        assert can_begin(file) is (begins and tells)
        if needed is None:
            return
        for size in (100, needed - 1):
            file.seek(0)
            cut = tmp_path / f"cut-{size}"
            cut.write_bytes(file.read(size))
            with cut.open("rb") as front:
                assert needed_to_begin(front) == needed, "its header says so"
                assert not can_begin(front)


def test_an_index_of_an_untrue_size_is_none() -> None:
    boxes = bytes.fromhex("00000010") + b"ftypisom" + bytes(4) + bytes.fromhex("ffffffff") + b"moov"
    assert needed_to_begin(BytesIO(boxes + bytes(100))) is None


def box(kind: bytes, length: int) -> bytes:
    return length.to_bytes(4, "big") + kind


@pytest.mark.parametrize(
    ("pictures", "whole", "found"),
    [
        (box(b"mdat", 900_000), 950_000, (16, 900_016)),
        (box(b"mdat", 1) + (900_000).to_bytes(8, "big"), 950_000, (16, 900_016)),
        (box(b"mdat", 900_000), 900_016, None),  # nothing follows
        (box(b"mdat", 900_000), 800_000, None),  # it is cut off
        (box(b"mdat", 900_000), 900_000 + (65 << 20), None),  # too much follows to be an index
        (box(b"mdat", 0), 950_000, None),  # to the end of the file
        (box(b"mdat", 7), 950_000, None),
        (box(b"moov", 500_000), 950_000, None),  # at the front
    ],
)
def test_where_an_index_lies_that_is_not_here_yet(
    pictures: bytes, whole: int, found: tuple[int, int] | None
) -> None:
    front = box(b"ftyp", 16) + bytes(8) + pictures
    assert end_index(BytesIO(front + bytes(1000)), whole) == found


def test_a_hole_that_would_not_be_noticed_is_not_risked(encode: Encode, tmp_path: Path) -> None:
    options = "-c:v mjpeg -q:v 20"
    assert planned(encode(options, FRONT), tmp_path).needs, "a film that ends where its part does"
    assert not planned(encode(options, ""), tmp_path).needs


def test_marks_tell_where_a_stream_lies() -> None:
    times = [0.0, 0.4, 0.8, 1.2, 1.6, 2.4, 3.0]
    places = [(100, 110), (300, 310), (120, 130), (200, 210), (180, 190), (400, 410), (390, 400)]
    marks = marks_of(times, places)
    assert [(mark.seconds, mark.first, mark.end) for mark in marks] == [
        (0.0, 100, 310),
        (1.2, 180, 310),
        (2.4, 390, 410),
    ]
    for mark, after in itertools.pairwise([*marks, None]):
        inside = [
            place
            for time, place in zip(times, places, strict=True)
            if mark is not None and time >= mark.seconds and (after is None or time < after.seconds)
        ]
        assert mark is not None
        assert all(mark.first <= first and end <= mark.end for first, end in inside)
