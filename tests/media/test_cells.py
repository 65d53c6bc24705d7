"""The grid is filled chunk by chunk, and plays as if it had been encoded in one go."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from app.media import segments
from app.media.cells import fill_chunk, fill_row
from app.media.errors import MediaError, Stopped
from app.media.plan import Plan, PlanOptions, make_plan
from app.media.probe import probe
from tests.media.conftest import X264, Clip, lavfi
from tests.media.playback import check_row, convert, never, play, whole


def source_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        times = []
        for frame in container.decode(video=0):
            assert frame.pts is not None
            times.append(frame.pts * frame.time_base)
    return [time - times[0] for time in times]


def assert_same_times(made: list[Fraction], wanted: list[Fraction]) -> None:
    assert len(made) == len(wanted)
    assert max(abs(a - b) for a, b in zip(made, wanted, strict=True)) < Fraction(1, 1000)


def test_copy_and_encode_keep_every_frame_and_its_time(
    film: Path, binary: str, tmp_path: Path
) -> None:
    plan = make_plan(probe(film))
    assert [(row.name, row.mode) for row in plan.video] == [("360p", "copy"), ("240p", "encode")]
    wanted = source_times(film)
    for name, cells in convert(film, plan, tmp_path, binary).items():
        played = check_row(plan, name, cells)
        if name != "audio-0":
            assert_same_times(played.times, wanted)


def test_matroska_is_encoded_exactly(webm: Path, binary: str, tmp_path: Path) -> None:
    plan = make_plan(probe(webm))
    assert plan.source is not None
    assert plan.source.exact
    assert plan.source.rate == Fraction(30000, 1001)
    cells = convert(webm, plan, tmp_path, binary)
    assert_same_times(check_row(plan, "180p", cells["180p"]).times, source_times(webm))
    check_row(plan, "audio-0", cells["audio-0"])


def test_files_are_what_the_result_says(film: Path, binary: str, tmp_path: Path) -> None:
    plan = make_plan(probe(film))
    (cell,) = fill_chunk(film, plan, 0, ["240p"], tmp_path, ffmpeg=binary, stop=never)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["240p"]
    assert [path.name for path in cell.files] == ["0.m4s"]
    assert cell.init == tmp_path / "240p" / "init.mp4"
    data = cell.files[0].read_bytes()
    (segment,) = cell.segments
    assert (segment.bytes, segment.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert segment.duration == pytest.approx(4.0)
    assert cell.frames == plan.frames[0] == 100


def test_a_segment_plays_from_itself_at_its_time(film: Path, binary: str, tmp_path: Path) -> None:
    plan = make_plan(probe(film))
    (cell,) = fill_chunk(film, plan, 1, ["240p"], tmp_path, ffmpeg=binary, stop=never)
    for segment, path in zip(cell.segments, cell.files, strict=True):
        played = play(cell.init.read_bytes() + path.read_bytes())
        start = Fraction(plan.boundaries[segment.index], plan.timescale)
        assert played.times[0] == start
        assert len(played.times) == plan.frames[segment.index]


def test_samples_are_never_shown_before_they_are_decoded(
    film: Path, binary: str, tmp_path: Path
) -> None:
    plan = make_plan(probe(film))
    cells = convert(film, plan, tmp_path, binary, ["360p", "240p"])
    for row in cells.values():
        _, samples = segments.read_samples(whole(row))
        assert all(sample.pts >= sample.dts for sample in samples)
        ends = [sample.dts + sample.duration for sample in samples]
        assert ends[:-1] == [sample.dts for sample in samples[1:]]
        assert ends[-1] == plan.boundaries[-1]


def test_a_row_leaves_out_chunks_that_are_there(film: Path, binary: str, tmp_path: Path) -> None:
    plan = make_plan(probe(film))
    cells = list(fill_row(film, plan, "audio-0", tmp_path, ffmpeg=binary, stop=never, skip={0}))
    assert [cell.chunk for cell in cells] == list(range(1, len(plan.row_chunks("audio-0"))))
    assert not (tmp_path / "audio-0" / "0.m4s").exists()


@pytest.mark.parametrize(
    ("filters", "size"),
    [
        ("transpose=1", (180, 320)),
        ("setsar=3/2", (480, 180)),
        ("scale=321:181,setsar=1", (320, 180)),
    ],
)
def test_shapes(
    make_clip: Clip, binary: str, tmp_path: Path, filters: str, size: tuple[int, int]
) -> None:
    clip = make_clip(
        f"shape-{size[0]}x{size[1]}.mkv",
        [*lavfi(seconds=1, sound=False), "-vf", filters, "-c:v", "ffv1"],
    )
    plan = make_plan(probe(clip))
    assert (plan.video[0].width, plan.video[0].height) == size
    check_row(plan, plan.video[0].name, convert(clip, plan, tmp_path, binary)[plan.video[0].name])


def test_turned_film_is_upright(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    flat = make_clip("flat.mp4", [*lavfi(seconds=1, sound=False), *X264])
    turned = make_clip("turned.mp4", ["-display_rotation:v", "90", "-i", str(flat), "-c", "copy"])
    facts = probe(turned)
    assert facts.video is not None
    assert facts.video.rotation == 270
    plan = make_plan(facts)
    assert (plan.video[0].mode, plan.video[0].width, plan.video[0].height) == ("encode", 180, 320)
    cells = convert(turned, plan, tmp_path, binary)["180p"]
    check_row(plan, "180p", cells)
    assert b"\0\1\0\0" + bytes(12) + b"\0\1\0\0" in cells[0].init.read_bytes()


def test_irregular_film_keeps_each_time(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    clip = make_clip(
        "vfr.mp4", [*lavfi(seconds=9, sound=False), "-vf", "select='not(mod(n,7))+lt(t,2)'",
                    "-fps_mode", "vfr", *X264],
    )  # fmt: skip
    plan = make_plan(probe(clip), PlanOptions(copy=False))
    cells = convert(clip, plan, tmp_path, binary)
    assert_same_times(check_row(plan, "180p", cells["180p"]).times, source_times(clip))


def test_fast_film_is_halved(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    clip = make_clip("fast.mp4", [*lavfi("160x90", "120", 2, sound=False), *X264])
    plan = make_plan(probe(clip))
    assert plan.source is not None
    assert (plan.source.exact, plan.source.rate, sum(plan.frames)) == (False, 60, 120)
    check_row(plan, "90p", convert(clip, plan, tmp_path, binary)["90p"])


def test_transport_stream_that_starts_late(film: Path, make_clip: Clip, binary: str,
                                           tmp_path: Path) -> None:  # fmt: skip
    clip = make_clip(
        "late.ts", ["-i", str(film), "-c", "copy", "-output_ts_offset", "3600", "-f", "mpegts"]
    )
    plan = make_plan(probe(clip))
    cells = convert(clip, plan, tmp_path, binary, ["240p", "audio-0"])
    assert_same_times(check_row(plan, "240p", cells["240p"]).times, source_times(film))
    check_row(plan, "audio-0", cells["audio-0"])


def test_cut_off_film_gives_what_is_there(film: Path, make_clip: Clip, binary: str,
                                          tmp_path: Path) -> None:  # fmt: skip
    fast = make_clip("faststart.mp4", ["-i", str(film), "-c", "copy", "-movflags", "+faststart"])
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(fast.read_bytes()[: fast.stat().st_size * 6 // 10])
    facts = probe(cut)
    assert facts.video is not None
    assert facts.video.frames.cut
    assert 3 < facts.duration < 8
    plan = make_plan(facts)
    for name, cells in convert(cut, plan, tmp_path, binary).items():
        check_row(plan, name, cells)


def test_hole_in_a_film_is_bridged(film: Path, make_clip: Clip, binary: str,
                                   tmp_path: Path) -> None:  # fmt: skip
    fast = make_clip("faststart.mp4", ["-i", str(film), "-c", "copy", "-movflags", "+faststart"])
    data = bytearray(fast.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40_000] = bytes(40_000)
    holed = tmp_path / "holed.mp4"
    holed.write_bytes(data)
    plan = make_plan(probe(holed), PlanOptions(copy=False))
    cells = convert(holed, plan, tmp_path, binary, ["240p"])
    check_row(plan, "240p", cells["240p"])


def test_copy_of_nonsense_is_refused(film: Path, make_clip: Clip, binary: str,
                                     tmp_path: Path) -> None:  # fmt: skip
    fast = make_clip("faststart.mp4", ["-i", str(film), "-c", "copy", "-movflags", "+faststart"])
    data = bytearray(fast.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 5_000] = b"\xff" * 5_000
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    plan = make_plan(probe(broken))
    assert plan.video[0].mode == "copy"
    with pytest.raises(MediaError) as caught:
        list(fill_row(broken, plan, "360p", tmp_path, ffmpeg=binary, stop=never))
    assert caught.value.code == "copy_failed"


def test_sound_that_does_not_decode_is_silent(film: Path, binary: str, tmp_path: Path) -> None:
    plan = make_plan(probe(film))
    mute = replace(plan, audio=(replace(plan.audio[0], stream=0),))  # a picture is no sound
    cells = list(fill_row(film, mute, "audio-0", tmp_path, ffmpeg=binary, stop=never))
    check_row(mute, "audio-0", cells)


def test_stop_is_obeyed(film: Path, binary: str, tmp_path: Path) -> None:
    plan = make_plan(probe(film))
    with pytest.raises(Stopped):
        fill_chunk(film, plan, 1, ["240p"], tmp_path, ffmpeg=binary, stop=lambda: True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Stopped):
        list(fill_row(film, plan, "audio-0", tmp_path, ffmpeg=binary, stop=lambda: True))


def test_plan_survives_json(film: Path) -> None:
    plan = make_plan(probe(film))
    assert Plan.from_json(plan.to_json()) == plan
