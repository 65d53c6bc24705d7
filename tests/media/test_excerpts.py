"""Sound cells ahead of their row fit in as if one encoder had made them all."""

from __future__ import annotations

import subprocess
from array import array
from pathlib import Path

import pytest

from app.media.excerpts import fill_excerpt
from app.media.grid import AAC_FRAME, AudioRow, Plan
from app.media.plan import make_plan
from app.media.probe import probe
from app.media.rows import fill_row
from tests.media.conftest import Clip

RATE = 48_000


def go_on() -> bool:
    return False


def decoded(row: AudioRow, files: list[bytes], binary: str) -> array[int]:
    """Samples of the left channel."""
    done = subprocess.run(
        [binary, "-v", "error", "-f", "mp4", "-i", "pipe:0", "-af", "pan=mono|c0=c0",
         "-f", "s16le", "pipe:1"],
        input=b"".join(files), check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return array("h", done.stdout)


@pytest.fixture(scope="module", params=["film.mp4", "film.mkv", "film.webm"])
def film(request: pytest.FixtureRequest, make_clip: Clip) -> Path:
    """45 s of a voice-like sound: harmonics that glide, in bursts, with a little noise."""
    voice = (
        "aevalsrc='(0.3*sin(2*PI*(180*t+20*sin(3*t)))+0.2*sin(2*PI*(540*t+60*sin(3*t))))"
        "*(0.55+0.45*sin(9*t))+0.02*(random(0)-0.5)':s=48000:d=45"
    )
    codecs = {
        "film.mp4": ["-c:v", "mpeg4", "-c:a", "aac", "-b:a", "192k"],
        "film.mkv": ["-c:v", "mpeg4", "-c:a", "libmp3lame", "-b:a", "192k"],
        "film.webm": ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8",
                      "-c:a", "libopus", "-b:a", "128k"],
    }  # fmt: skip
    name = request.param
    picture = "testsrc2=s=128x72:r=10:d=45"
    return make_clip(
        f"excerpts-{name}", ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", voice,
                             *codecs[name]],
    )  # fmt: skip


def test_they_meet_the_row_without_a_seam(film: Path, tmp_path: Path, binary: str) -> None:
    plan = make_plan(probe(film))
    row = plan.audio[0]
    whole = tmp_path / "whole"
    whole.mkdir()
    cells = list(fill_row(film, plan, row.name, whole, ffmpeg=binary, stop=go_on))
    files = [cells[0].init.read_bytes()]
    segments = [path.read_bytes() for cell in cells for path in cell.files]
    mixed = list(segments)
    for chunk in (0, 2, len(row.chunks) - 1):
        place = tmp_path / f"part-{chunk}"
        place.mkdir()
        part = fill_excerpt(film, plan, row.name, chunk, place, ffmpeg=binary, stop=go_on)
        assert part.init_sha256 == cells[0].init_sha256
        assert [s.duration for s in part.segments] == [s.duration for s in cells[chunk].segments]
        assert part.frames == cells[chunk].frames
        first, _last = row.chunks[chunk]
        for at, path in enumerate(part.files):
            mixed[first + at] = path.read_bytes()
    one = decoded(row, [*files, *segments], binary)
    other = decoded(row, [*files, *mixed], binary)
    assert len(one) == len(other) == row.total
    loudest = max(map(abs, one))
    assert loudest > 5000
    first = row.chunks[2][0] * row.segment
    middle = range(first + 5000, first + 15_000)
    differs = {
        late: sum((one[at] - other[at + late]) ** 2 for at in middle) for late in range(-72, 73, 8)
    }
    late = min(differs, key=lambda each: differs[each])
    power = sum(one[at] ** 2 for at in middle)
    assert differs[late] < power / 100  # the same sound, 20 dB at least
    if film.suffix == ".webm":
        assert abs(late) <= RATE / 1000  # its times are whole milliseconds
        return
    assert late == 0
    for boundary in (row.chunks[2][0] * row.segment, row.chunks[3][0] * row.segment):
        around = range(boundary - AAC_FRAME, boundary + AAC_FRAME)
        error = sum((one[at] - other[at]) ** 2 for at in around)
        assert error < sum(one[at] ** 2 for at in around) / 100, boundary  # 20 dB: no seam


def test_where_the_clock_is_not_true_there_are_none(film: Path, binary: str) -> None:
    plan = make_plan(probe(film))
    assert plan.audio[0].can_excerpt
    even = Plan.from_json(plan.to_json().replace('"normalise":0.0', '"normalise":-16.0'))
    assert not even.audio[0].can_excerpt
    with pytest.raises(ValueError, match="by themselves"):
        fill_excerpt(film, even, even.audio[0].name, 0, film.parent, ffmpeg=binary, stop=go_on)
