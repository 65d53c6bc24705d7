"""Sound stays with the picture: a flash and a beep that fall together still do."""

from __future__ import annotations

import io
from array import array
from pathlib import Path

import av
import pytest

from app.media.plan import PlanOptions, make_plan
from app.media.probe import probe
from tests.media.conftest import X264, Clip
from tests.media.playback import convert, whole

FLASH = 5.0
PICTURE = (
    "color=black:s=160x90:r=50:d=7,drawbox=color=white:t=fill:"
    f"enable='between(t,{FLASH - 0.001},{FLASH + 0.2})'"
)
SOUND = f"aevalsrc='if(between(t,{FLASH},{FLASH + 0.2}),sin(2*PI*1000*t),0)':s={{rate}}:d=7"


def first_flash(data: bytes) -> float:
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        for frame in container.decode(video=0):
            plane = bytes(frame.reformat(format="gray").planes[0])
            if sum(plane) / len(plane) > 100:
                assert frame.time is not None
                return frame.time
    raise AssertionError("no flash")


def first_beep(data: bytes) -> float:
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        for frame in container.decode(audio=0):
            samples = array("f", bytes(frame.planes[0]))[: frame.samples]
            for at, value in enumerate(samples):
                if abs(value) > 0.2:
                    assert frame.time is not None
                    return frame.time + at / frame.sample_rate
    raise AssertionError("no beep")


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("plain.mp4", [], [*X264, "-c:a", "aac"]),
        ("bframes.mp4", [], ["-c:v", "libx264", "-bf", "3", "-g", "50", "-c:a", "aac"]),
        ("late-sound.mp4", ["-ss", "1.5", "-itsoffset", "1.5"], [*X264, "-c:a", "aac"]),
        ("plain.mkv", [], [*X264, "-c:a", "libopus"]),
        ("hour.ts", [], [*X264, "-c:a", "mp2", "-output_ts_offset", "3600"]),
        ("44100.mov", [], [*X264, "-c:a", "pcm_s16le", "-ar", "44100"]),
    ],
)
def test_flash_and_beep(
    name: str, inputs: list[str], outputs: list[str], copy: bool, make_clip: Clip, binary: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    rate = "44100" if "44100" in outputs else "48000"
    clip = make_clip(
        name, ["-f", "lavfi", "-i", PICTURE, *inputs, "-f", "lavfi", "-i", SOUND.format(rate=rate),
               *outputs],
    )  # fmt: skip
    plan = make_plan(probe(clip), PlanOptions(copy=copy, normalise=0 if copy else -9))
    cells = convert(clip, plan, tmp_path, binary)
    assert first_flash(whole(cells[plan.video[0].name])) == pytest.approx(FLASH, abs=0.001)
    for row in plan.audio:
        assert first_beep(whole(cells[row.name])) == pytest.approx(FLASH, abs=0.005), row.label
