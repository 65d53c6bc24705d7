"""Transport streams whose clock jumps: every picture is there once, and sound stays with it."""

from __future__ import annotations

import io
from array import array
from pathlib import Path

import av
import pytest

from app.media.grid import Plan
from app.media.plan import PlanOptions, make_plan
from app.media.probe import probe
from tests.media.conftest import X264, Clip
from tests.media.playback import check_row, convert, whole

WRAP = 2**33 / 90_000
"""Seconds after which the clock of a transport stream begins again (ISO/IEC 13818-1, 2.4.3.6)."""

PART = 4.0
FLASH = 2.0


def part(offset: float, *sound: str) -> list[str]:
    """Four seconds with a flash and a beep at two, beginning at this time."""
    now = f"between(t,{FLASH - 0.001},{FLASH + 0.2})"
    picture = f"color=black:s=160x90:r=25:d={PART},drawbox=color=white:t=fill:enable='{now}'"
    tone = f"aevalsrc='if({now},sin(2*PI*1000*t),0)':s=48000:d={PART}"
    return [
        "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, *X264, "-g", "25", "-bf", "2",
        "-c:a", "mp2", *sound, "-output_ts_offset", str(offset), "-f", "mpegts",
    ]  # fmt: skip


def onsets(loud: list[tuple[float, bool]]) -> list[float]:
    """When it becomes bright or loud after a quarter of a second of the contrary."""
    found, last = [], -1.0
    for time, is_so in loud:
        if is_so and time - last > 0.25:
            found.append(time)
        if is_so:
            last = time
    return found


def flashes(data: bytes) -> list[float]:
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        return onsets([
            (float(frame.time or 0), sum(plane := bytes(frame.reformat(format="gray").planes[0]))
             > 100 * len(plane))
            for frame in container.decode(video=0)
        ])  # fmt: skip


def beeps(data: bytes) -> list[float]:
    heard: list[tuple[float, bool]] = []
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        for frame in container.decode(audio=0):
            samples = array("f", bytes(frame.planes[0]))[: frame.samples]
            heard += [
                (float(frame.time or 0) + at / 48_000, True)
                for at, value in enumerate(samples)
                if abs(value) > 0.2
            ]
    return onsets(heard)


@pytest.mark.parametrize(
    ("name", "offsets", "sound", "jumps"),
    [
        ("back", (3600, 10), (), 1),
        ("a little back", (7, 5), (), 1),
        ("ahead", (10, 3600), ("-ar", "44100", "-ac", "1"), 1),
        ("to and fro", (50, 3600, 0), (), 2),
        ("wrap", (WRAP - 4,), (), 0),
        ("wrap and back", (WRAP - 4, 100), (), 1),
    ],
)
def test_clock_that_jumps(
    name: str, offsets: tuple[float, ...], sound: tuple[str, ...], jumps: int, make_clip: Clip,
    binary: str, tmp_path: Path,
) -> None:  # fmt: skip
    film = tmp_path / "film.ts"
    parts = [
        make_clip(f"jump-{offset}-{bool(at and sound)}.ts", part(offset, *(sound if at else ())))
        for at, offset in enumerate(offsets)
    ]
    film.write_bytes(b"".join(path.read_bytes() for path in parts))
    plan = make_plan(probe(film), PlanOptions(segment_seconds=1))
    assert plan.duration == pytest.approx(PART * len(offsets), abs=0.05)
    assert sum(plan.frames) == len(offsets) * PART * 25
    assert sum("jumps" in decision for decision in plan.decisions) == bool(jumps)
    if jumps:
        assert plan.source is not None
        assert len(plan.source.shifts) == jumps + 1
    assert Plan.from_json(plan.to_json()) == plan
    cells = convert(film, plan, tmp_path, binary)
    for row in cells:
        check_row(plan, row, cells[row])
    expected = [FLASH + PART * at for at in range(len(offsets))]
    seen, heard = (find(whole(cells[row])) for find, row in ((flashes, "90p"), (beeps, "audio-0")))
    assert seen == pytest.approx(expected, abs=0.045)
    assert heard == pytest.approx(seen, abs=0.005)


def test_sound_alone_that_jumps(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    film = tmp_path / "radio.ts"
    sine = ["-f", "lavfi", "-i", "sine=d=3", "-c:a", "mp2", "-f", "mpegts", "-output_ts_offset"]
    parts = [make_clip(f"radio-{offset}.ts", [*sine, offset]) for offset in ("900", "3")]
    film.write_bytes(b"".join(path.read_bytes() for path in parts))
    plan = make_plan(probe(film))
    assert plan.duration == pytest.approx(6, abs=0.1)
    check_row(plan, "audio-0", convert(film, plan, tmp_path, binary)["audio-0"])
