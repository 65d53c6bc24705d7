"""Decisions are made from facts, and playlists from the plan, before anything is encoded."""

from __future__ import annotations

import io
from array import array
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from app.media.codecs import init_codec, init_size
from app.media.facts import FrameIndex
from app.media.grid import VideoRow, make_chunks
from app.media.images import make_poster
from app.media.ladder import make_ladder
from app.media.levels import smallest_level
from app.media.picture import orientation
from app.media.plan import PlanOptions, make_plan
from app.media.playlists import master_playlist, media_playlist
from app.media.probe import probe
from app.media.rhythm import measure
from tests.media.conftest import Clip
from tests.media.playback import bandwidth, convert, never, play, whole


@pytest.mark.parametrize(
    ("size", "rate", "rungs"),
    [
        ((1920, 1080), 24, ["1080p", "720p", "480p", "360p", "240p"]),
        ((3840, 2160), 24, ["1080p", "720p", "480p", "360p", "240p"]),
        ((1080, 1920), 30, ["1080p", "720p", "480p", "360p", "240p"]),
        ((854, 480), 25, ["480p", "360p", "240p"]),
        ((960, 540), 25, ["540p", "480p", "360p", "240p"]),
        ((16, 16), 1, ["16p"]),
        ((161, 121), 30, ["120p"]),
        ((2, 1), 25, ["2p"]),
    ],
)
def test_ladder(size: tuple[int, int], rate: int, rungs: list[str]) -> None:
    ladder = make_ladder(*size, Fraction(rate))
    assert [rung.name for rung in ladder] == rungs
    for rung in ladder:
        assert rung.width % 2 == rung.height % 2 == 0
        assert rung.width <= max(2, size[0])
        assert rung.height <= max(2, size[1])
        if size > (200, 200):
            assert rung.width / rung.height == pytest.approx(size[0] / size[1], rel=0.01)


def test_levels() -> None:
    assert smallest_level(1920, 1080, Fraction(30), 6_000) == 40
    assert smallest_level(1920, 1080, Fraction(60), 9_000) == 42
    assert smallest_level(1280, 720, Fraction(30), 3_300) == 31
    assert smallest_level(640, 360, Fraction(25), 1_200) == 30


def test_rhythm() -> None:
    base = Fraction(1, 1000)
    milliseconds = [round(k * 1001 / 30) for k in range(3000)]
    found = measure(milliseconds, base, [Fraction(30000, 1001)])
    assert (found.regular, found.rate) == (True, Fraction(30000, 1001))
    assert not measure([0, 33, 66, 600, 633], base, []).regular
    assert measure([0], base, []).regular


def test_chunks_begin_small() -> None:
    assert make_chunks(8) == ((0, 0), (1, 2), (3, 5), (6, 7))
    assert make_chunks(1) == ((0, 0),)


def test_open_groups_are_no_cut_points() -> None:
    # Decode order: I0 P3 B1 B2 | I6 B4 B5: the second key frame is shown after pictures that
    # follow it.
    index = FrameIndex(array("q", [0, 3, 1, 2, 6, 4, 5]), array("q", [1] * 7), (0, 4), True)
    assert index.clean_keys == (0,)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((65536, 0, 0, 0, 65536), (0, False)),
        ((0, 65536, 0, -65536, 0), (90, False)),
        ((-65536, 0, 0, 0, -65536), (180, False)),
        ((0, -65536, 0, 65536, 0), (270, False)),
        ((-65536, 0, 0, 0, 65536), (0, True)),
        ((), (0, False)),
    ],
)
def test_orientation(matrix: tuple[int, ...], expected: tuple[int, bool]) -> None:
    assert orientation(matrix) == expected


def test_copy_follows_the_key_frames(film: Path) -> None:
    facts = probe(film)
    plan = make_plan(facts)
    assert facts.video is not None
    keys = {facts.video.frames.pts[key] for key in facts.video.frames.keys}
    base = facts.video.time_base
    assert {round(key * base * 90_000) for key in keys} >= set(plan.boundaries[:-1])
    assert sum(plan.frames) == 225
    assert plan.boundaries[-1] == 9 * 90_000


def test_what_stands_against_a_copy_is_said(film: Path) -> None:
    facts = probe(film)
    assert facts.video is not None
    for change in (
        {"codec": "hevc"}, {"pix_fmt": "yuv422p"}, {"interlaced": True}, {"rotation": 90},
        {"sar": Fraction(4, 3)}, {"width": 4000, "height": 3000}, {"extradata": b""},
    ):  # fmt: skip
        changed = replace(facts, video=replace(facts.video, **change))
        plan = make_plan(changed)
        assert all(row.mode == "encode" for row in plan.video)
        assert any("encoded anew" in decision for decision in plan.decisions)


def test_playlists_are_true(film: Path, binary: str, tmp_path: Path) -> None:
    plan = make_plan(probe(film))
    cells = convert(film, plan, tmp_path, binary)
    measured = {name: bandwidth(plan, name, row) for name, row in cells.items()}
    for row in plan.video:
        init = cells[row.name][0].init.read_bytes()
        assert init_codec(init) == row.codecs
        assert init_size(init) == (row.width, row.height)
        assert measured[row.name][0] <= row.bandwidth
        assert len(play(whole(cells[row.name])).times) / 9 == pytest.approx(row.frame_rate)
    promised, exact = master_playlist(plan), master_playlist(plan, measured)
    for text in (promised, exact):
        assert text.startswith("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n")
        assert 'RESOLUTION=640x360,FRAME-RATE=25.000,AUDIO="audio"\n360p/index.m3u8' in text
        assert 'URI="audio-0/index.m3u8"' in text
        assert "mp4a.40.2" in text
    assert promised != exact
    for row in (*plan.video, *plan.audio):
        text = media_playlist(plan, row.name)
        lengths = [float(line[8:-1]) for line in text.splitlines() if line.startswith("#EXTINF")]
        assert len(lengths) == sum(len(cell.files) for cell in cells[row.name])
        assert sum(lengths) == pytest.approx(9, abs=0.03)
        assert f"#EXT-X-TARGETDURATION:{round(max(lengths))}" in text
        assert text.endswith("#EXT-X-ENDLIST\n")


def test_promised_codecs_are_forced_for_every_rung(webm: Path, binary: str,
                                                   tmp_path: Path) -> None:  # fmt: skip
    plan = make_plan(probe(webm))
    for level in (20, 31, 42, 51):
        row = replace(plan.video[0], level=level, codecs=f"avc1.6400{level:02x}")
        place = tmp_path / str(level)
        place.mkdir()
        convert(webm, replace(plan, video=(row,), chunks=((0, 0),)), place, binary, [row.name])


def test_sound_alone(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    clip = make_clip("sound.flac", ["-f", "lavfi", "-i", "sine=f=440:r=44100:d=5", "-ac", "6"])
    plan = make_plan(probe(clip))
    assert plan.video == ()
    cells = convert(clip, plan, tmp_path, binary)
    assert play(whole(cells["audio-0"])).samples == plan.audio[0].total
    assert "audio-0/index.m3u8" in master_playlist(plan)
    made = make_poster(clip, plan, tmp_path, ffmpeg=binary, stop=never)
    assert {"poster.jpg", "thumb.jpg"} < {path.name for path in made.files}


def test_surround_is_offered_beside_stereo(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    tone = ["-f", "lavfi", "-i", "sine=f=440:r=48000:d=5", "-ac", "6", "-c:a", "ac3"]
    picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=5", "-pix_fmt", "yuv420p"]
    clip = make_clip("surround.mkv", [*tone[:4], *picture, *tone[4:]])
    plan = make_plan(probe(clip))
    assert [(row.label, row.channels, row.default) for row in plan.audio] == [
        ("Track 1", 2, True),
        ("Track 1 5.1", 6, False),
    ]
    master = master_playlist(plan)
    assert 'NAME="Track 1 5.1",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="6"' in master
    cells = convert(clip, plan, tmp_path, binary, ["audio-0", "audio-1"])
    for row in plan.audio:
        assert play(whole(cells[row.name])).samples == row.total
        assert bandwidth(plan, row.name, cells[row.name])[0] <= row.bandwidth
    with av.open(io.BytesIO(whole(cells["audio-1"]))) as surround:
        assert surround.streams.audio[0].codec_context.channels == 6


def test_wishes_change_the_grid(film: Path) -> None:
    plan = make_plan(probe(film), PlanOptions(segment_seconds=2, chunk_segments=2, copy=False))
    assert len(plan.frames) == 5
    assert plan.chunks == ((0, 0), (1, 2), (3, 4))
    assert all(isinstance(row, VideoRow) and row.mode == "encode" for row in plan.video)
