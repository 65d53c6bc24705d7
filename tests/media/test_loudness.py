"""Loudness is measured as EBU R128 says, and an even volume has the loudness that was asked for."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from app.media.cells import fill_row
from app.media.plan import Plan, PlanOptions, make_plan
from app.media.probe import probe
from app.media.sound import Loudness, read_loudness
from tests.media.conftest import Clip
from tests.media.playback import bandwidth, check_row, convert, never, whole

SPEECH = "anoisesrc=c=pink:d=30:r=48000:a=0.6:seed=5,volume='0.05+0.03*sin(t/3)':eval=frame"


def tones(*parts: tuple[float, float]) -> list[str]:
    """A stereo sine of 1 kHz: (dBFS of its peak, seconds) one after the other."""
    level, before = "0", 0.0
    for decibels, seconds in parts:
        level += f"+{10 ** (decibels / 20)}*gte(t,{before})*lt(t,{before + seconds})"
        before += seconds
    one = f"({level})*sin(2*PI*1000*t)"
    return ["-f", "lavfi", "-i", f"aevalsrc='{one}|{one}':s=48000:d={before}", "-c:a", "pcm_f32le"]


def measured(path: Path, binary: str) -> Loudness | None:
    """What ffmpeg measures of a file by itself."""
    command = [binary, "-nostdin", "-hide_banner", "-i", str(path), "-map", "0:a"]
    command += ["-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return read_loudness(done.stderr)


def sound(path: Path, place: Path, binary: str, row: str = "audio-0", normalise: float = 0.0,
          skip: set[int] | None = None) -> tuple[Plan, Loudness | None]:  # fmt: skip
    plan = make_plan(probe(path), PlanOptions(normalise=normalise))
    cells = list(fill_row(path, plan, row, place, ffmpeg=binary, stop=never, skip=skip))
    assert [cell.loudness for cell in cells[:-1]] == [None] * (len(cells) - 1)
    return plan, cells[-1].loudness


@pytest.mark.parametrize(
    ("number", "parts", "expected"),
    [
        (1, [(-23, 20)], -23.0),
        (2, [(-33, 20)], -33.0),
        (3, [(-36, 10), (-23, 60), (-36, 10)], -23.0),
        (4, [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
    ],
)
def test_cases_of_ebu_tech_3341(
    number: int, parts: list[tuple[float, float]], expected: float, make_clip: Clip, binary: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    clip = make_clip(f"tech3341-{number}.wav", tones(*parts))
    _, loudness = sound(clip, tmp_path, binary)
    assert loudness is not None
    assert loudness.integrated == pytest.approx(expected, abs=0.1)
    assert loudness.true_peak == pytest.approx(max(level for level, _ in parts), abs=0.3)


def test_the_first_case_of_ebu_tech_3342(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    clip = make_clip("tech3342-1.wav", tones((-20, 20), (-30, 20)))
    _, loudness = sound(clip, tmp_path, binary)
    assert loudness is not None
    assert loudness.range == pytest.approx(10, abs=1)


@pytest.fixture(scope="module")
def talk(make_clip: Clip) -> Path:
    picture = ["-f", "lavfi", "-i", "color=gray:s=64x64:r=5:d=30"]
    return make_clip(
        "talk.mkv", [*picture, "-f", "lavfi", "-i", SPEECH, "-ac", "2", "-c:v", "libx264",
                     "-preset", "ultrafast", "-c:a", "flac"],
    )  # fmt: skip


def test_it_is_what_ffmpeg_measures_by_itself(talk: Path, binary: str, tmp_path: Path) -> None:
    _, loudness = sound(talk, tmp_path, binary)
    alone = measured(talk, binary)
    assert loudness is not None
    assert alone is not None
    assert loudness.integrated == pytest.approx(alone.integrated, abs=0.1)
    assert loudness.range == pytest.approx(alone.range, abs=0.2)
    assert loudness.true_peak == pytest.approx(alone.true_peak, abs=0.2)


def test_a_row_that_goes_on_ends_with_the_loudness_of_all_of_it(
    talk: Path, binary: str, tmp_path: Path
) -> None:
    plan, all_of_it = sound(talk, tmp_path, binary)
    done = set(range(len(plan.row_chunks("audio-0")) - 1))
    assert done
    assert sound(talk, tmp_path, binary, skip=done)[1] == all_of_it


def test_silence_has_none(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    clip = make_clip("silence.wav", ["-f", "lavfi", "-i", "anullsrc=d=2"])
    assert sound(clip, tmp_path, binary)[1] is None


@pytest.mark.parametrize("target", [-23.0, -16.0])
def test_even_volume(target: float, talk: Path, binary: str, tmp_path: Path) -> None:
    plan, loudness = sound(talk, tmp_path, binary, "audio-1", target)
    assert [(row.label, row.default, row.normalise) for row in plan.audio] == [
        ("Track 1", True, 0.0),
        ("Track 1, even volume", False, target),
    ]
    assert any("even volume" in decision for decision in plan.decisions)
    assert Plan.from_json(plan.to_json()) == plan
    cells = convert(talk, plan, tmp_path, binary, ["audio-1"])["audio-1"]
    check_row(plan, "audio-1", cells)
    assert bandwidth(plan, "audio-1", cells)[0] <= plan.row("audio-1").bandwidth
    made = tmp_path / "made.mp4"
    made.write_bytes(whole(cells))
    alone = measured(made, binary)
    assert alone is not None
    assert alone.true_peak is not None
    assert alone.integrated == pytest.approx(target, abs=1)
    assert alone.true_peak <= -1
    assert loudness is not None
    assert loudness.true_peak is not None
    assert loudness.integrated == pytest.approx(alone.integrated, abs=0.5)  # AAC loses a little
    assert loudness.true_peak <= -1.4


@pytest.mark.parametrize("name", ["moment", "silence"])
def test_even_volume_of_a_moment(name: str, make_clip: Clip, binary: str, tmp_path: Path) -> None:
    silence = ["-f", "lavfi", "-i", "anullsrc=d=2"]
    clip = make_clip(f"{name}.wav", silence if name == "silence" else tones((-40, 0.7)))
    plan = make_plan(probe(clip), PlanOptions(normalise=-23))
    check_row(plan, "audio-1", convert(clip, plan, tmp_path, binary, ["audio-1"])["audio-1"])


def test_plans_of_before_still_load(talk: Path) -> None:
    plan = make_plan(probe(talk))
    text = plan.to_json()
    for new in (
        '"normalise":0.0,', '"describes":false,', '"counted":false,', '"shifts":[],',
        ',"shifts":[],"entries":[]',
    ):  # fmt: skip
        text = text.replace(f",{new[:-1]}" if new.endswith(",") else new, "")
    assert "normalise" not in text
    assert "shifts" not in text
    assert Plan.from_json(text) == plan


def test_a_summary_is_read_from_the_end_of_a_log() -> None:
    text = "    I:         -23.4 LUFS\n    LRA:         5.1 LU\n    Peak:       -1.2 dBFS\n"
    assert read_loudness(f"title: I: 3 LUFS\n{text}out") == Loudness(-23.4, 5.1, -1.2)
    assert read_loudness(text.replace("-1.2", "-inf")) == replace(
        Loudness(-23.4, 5.1, 0), true_peak=None
    )
    assert read_loudness(text.replace("-23.4", "-70.0")) is None
    assert read_loudness("") is None
