"""Real films of every kind convert, keep their pictures, colours and sound, and are what the
playlist says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from app.media.errors import MediaError
from app.media.grid import VideoRow
from app.media.images import make_poster
from app.media.plan import Plan
from app.media.probe import probe
from tests.media.conftest import CORPUS
from tests.media.hearing import lateness
from tests.media.looks import difference, of_row, of_source
from tests.media.playback import check_row, convert_film, never, whole

PAGE = Path(__file__).parents[2] / "docs" / "media.md"
REFUSED = dict(re.findall(r"^\| `([\w.]+)` \| `(\w+)` \|", PAGE.read_text(), re.M))
"""Films that are refused, as the page says, and the code of the error."""

SAID = {
    "android_vfr_rot180_720p.mp4": ["recorded turned;"],
    "anamorphic_1280x1080_sar3x2.mp4": ["not square"],
    "animation_1080p_hevc_hev1_10s.mp4": ["HEVC", "full range"],
    "bbb_1080p60_vp8_51_1s.webm": ["5.1 and as stereo"],
    "bear_vp9_161x121_odd.webm": ["odd", "no sound"],
    "h264_hi422_10bit.mp4": ["(10 bit 4:2:2)"],
    "hdr10_av1_720x1280_vertical.mp4": ["HDR10", "taller than wide"],
    "hdr10_hevc10_720p_8s.mp4": ["HDR10"],
    "hlg10_hevc_1080p_0.3s.mp4": ["HLG"],
    "interlaced_mpeg2_tff.ts": ["interlaced"],
    "iphone_dolbyvision_rot90_0.1s.MOV": ["HLG", "Dolby Vision", "recorded turned;"],
    "iphone_hdr_hlg_rot90_noaudio.mov": ["HLG", "Dolby Vision", "no sound"],
    "long_gop_single_keyframe_30s.mp4": ["key frames are too far apart"],
    "mediarecorder_vp9_opus_noduration.webm": ["does not say how long"],
    "mkv_chapters_h264_444.mkv": ["(8 bit 4:4:4)"],
    "mp4_with_cover.mp4": ["cover"],
    "multi_3audio_2subs.mkv": ["All 3 sound tracks"],
    "nasa_2video_2audio_2subs.mp4": ["Of 2 films", "All 2 sound tracks"],
    "one_frame.mp4": ["a single picture"],
    "pixel_4k60_portrait_0.3s.mp4": ["larger than 1080 lines", "recorded turned;"],
    "roadtrip_vp9_10bit.webm": ["(10 bit 4:2:0)"],
    "roof_hdr10_hevc_1080p.mp4": ["each keeps its own time", "HDR10"],
    "rotate_and_reflect.mp4": ["recorded turned and mirrored"],
    "screenrec_3026x1386_vfr_noaudio.mp4": ["larger than 1080 lines"],
    "sony_a7m3_1080i_interlaced.mts": ["interlaced", "Subtitles that are pictures"],
    "start_offset_1h.ts": ["clock begins at 1:00:01"],
    "truncated_faststart_60pct.mp4": ["cut off"],
    "vertical_1080x1920.mp4": ["taller than wide"],
    "vfr_with_audio_7s.mp4": ["each keeps its own time"],
}
"""What the owner is told of some."""

LONG = {"long_1080p_h264_6min.mp4"}


CLOSE = 11
"""Steps of 256 by which coarse encoding and scaling down may change a quarter's mean colour; where
colours are strong, a wrong matrix changes it by 20 and more."""


def films() -> list[Path]:
    root = os.environ.get(CORPUS)
    if not root:
        return []
    found = [path for part in ("real", "derived") for path in sorted((Path(root) / part).iterdir())]
    return [path for path in found if path.name not in LONG]


def smallest(plan: Plan) -> list[str]:
    """The smallest rung, what is copied, and all sound: the other rungs differ in size only."""
    rows = [row.name for row in plan.audio]
    return rows + [row.name for row in plan.video if row.mode == "copy" or row is plan.video[-1]]


@pytest.mark.slow
@pytest.mark.parametrize("path", films(), ids=lambda path: path.name)
def test_film(path: Path, binary: str, tmp_path: Path) -> None:
    if path.name in REFUSED:
        with pytest.raises(MediaError) as caught:
            probe(path)
        assert caught.value.code == REFUSED[path.name]
        return
    facts = probe(path)
    plan, cells = convert_film(facts, path, tmp_path, binary, smallest)
    for words in SAID.get(path.name, []):
        assert any(words in decision for decision in plan.decisions), plan.decisions
    for name, filled in cells.items():
        played = check_row(plan, name, filled)
        if isinstance(plan.row(name), VideoRow) and plan.source and plan.source.exact:
            assert facts.video is not None
            assert len(played.times) == len(facts.video.frames) == sum(plan.frames)
    if facts.video is not None:
        row = whole(cells[plan.video[-1].name])
        seen, wanted = of_row(row, binary), of_source(path, facts.video, binary)
        # High dynamic range has no one right look in a smaller one: it may not come out dark or
        # glaring.
        close = 255 if facts.video.hdr else CLOSE
        assert difference(seen, wanted) <= close, (seen, wanted)
        assert not facts.video.hdr or max(wanted) < 10 or 10 < sum(seen) / len(seen) < 220
    for sound in plan.audio[:1]:
        zero = float(facts.origin) - facts.start
        row = whole(cells[sound.name])
        late = lateness(path, sound.stream, zero, row, binary)
        assert late is None or abs(late) <= 1, late
    made = make_poster(path, plan, tmp_path, ffmpeg=binary, stop=never)
    assert min(picture.stat().st_size for picture in made.files) > 30


def test_the_page_names_films_that_there_are(corpus: Path) -> None:
    assert REFUSED
    assert set(REFUSED) <= {path.name for path in films()}
