"""Every kind of source: what is done is said, and what comes out looks and sounds as the source."""

from __future__ import annotations

import io
import itertools
import struct
import subprocess
from pathlib import Path

import av
import pytest

from app.media.grid import Plan
from app.media.plan import PlanOptions, make_plan
from app.media.playlists import master_playlist
from app.media.probe import probe
from tests.media.conftest import X264, Clip, lavfi
from tests.media.looks import difference, of_row, of_source
from tests.media.playback import check_row, convert, whole

FINE = ["-c:v", "ffv1"]
"""Keeps any form of colours as it is."""

CLOSE = 6
"""Steps of 256 that coarse encoding and scaling may change a colour by; a wrong matrix or range
makes 10 and more."""

FULL = "format=rgb24,scale=out_range=pc:out_color_matrix=bt601,format=yuvj420p"


def clip_of(filters: str = "null", *, size: str = "320x180", rate: str = "25", seconds: float = 1,
            sound: bool = True, out: list[str] = X264) -> list[str]:  # fmt: skip
    return [*lavfi(size, rate, seconds, sound=sound), "-vf", filters, *out]


KINDS: dict[str, tuple[list[str], str, tuple[int, int]]] = {
    "irregular.mp4": (
        [*clip_of("select='not(mod(n,3))+lt(t,1)'", seconds=3), "-fps_mode", "vfr"],
        "each keeps its own time", (320, 180),
    ),
    "fast.mp4": (clip_of(rate="120"), "Of 120 pictures a second 60 are kept.", (320, 180)),
    "anamorphic.mkv": (clip_of("setsar=3/2"), "not square", (480, 180)),
    "odd.mkv": (clip_of("scale=321:181,setsar=1", out=FINE), "odd", (320, 180)),
    "vertical.mkv": (clip_of("transpose=1", out=FINE), "taller than wide", (180, 320)),
    "deep.mkv": (clip_of("format=yuv420p10le", out=FINE), "(10 bit 4:2:0)", (320, 180)),
    "wide.mkv": (clip_of("format=yuv422p", out=FINE), "(8 bit 4:2:2)", (320, 180)),
    "finest.mkv": (clip_of("format=yuv444p10le", out=FINE), "(10 bit 4:4:4)", (320, 180)),
    "full.mkv": (clip_of(FULL, out=[*FINE, "-color_range", "pc"]), "full range", (320, 180)),
    "4k.mkv": (
        clip_of(size="3840x2160", rate="5", seconds=0.2, sound=False),
        "larger than 1080 lines", (1920, 1080),
    ),
    "mute.mp4": (clip_of(sound=False), "There is no sound.", (320, 180)),
    "one.mp4": (clip_of(sound=False, seconds=0.04), "a single picture", (320, 180)),
    "moment.mp4": (clip_of(seconds=0.2), "taken over as it is", (320, 180)),
    "hour.ts": (
        [*clip_of(), "-output_ts_offset", "3600"], "clock begins at 1:00:01", (320, 180),
    ),
    "two.mkv": (
        [*lavfi("160x90", sound=False, seconds=1), *lavfi("320x180", sound=False, seconds=1),
         "-map", "0", "-map", "1", *X264],
        "Of 2 films in the file the largest is kept.", (320, 180),
    ),
    "long-groups.mkv": (
        [*clip_of(size="64x36", rate="2", seconds=40, sound=False), "-g", "1000"],
        "Key frames are far apart", (64, 36),
    ),
    "unsaid.mkv": (
        [*clip_of(), "-live", "1"],
        "does not say how long it is", (320, 180),
    ),
    "late-sound.mkv": (
        [*lavfi(sound=False, seconds=4), "-itsoffset", "2", "-f", "lavfi", "-i", "sine=d=2", *X264],
        "Sound begins 2 s after the first picture", (320, 180),
    ),
    "short-sound.mp4": (
        [*lavfi(sound=False, seconds=4), "-f", "lavfi", "-i", "sine=d=1", *X264],
        "Sound ends 3 s before the last picture", (320, 180),
    ),
    "long-sound.mp4": (
        [*lavfi(sound=False, seconds=1), "-f", "lavfi", "-i", "sine=d=4", *X264],
        "Sound goes on 3 s after the last picture", (320, 180),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_kind(name: str, make_clip: Clip, binary: str, tmp_path: Path) -> None:
    arguments, sentence, size = KINDS[name]
    clip = make_clip(f"kind-{name}", arguments)
    facts = probe(clip)
    plan = make_plan(facts)
    assert any(sentence in decision for decision in plan.decisions), plan.decisions
    assert facts.video is not None
    top = plan.video[0]
    assert (top.width, top.height) == size
    rows = [top.name, *(row.name for row in plan.audio)]
    cells = convert(clip, plan, tmp_path, binary, rows)
    for row in rows:
        check_row(plan, row, cells[row])
    seen, wanted = of_row(whole(cells[top.name]), binary), of_source(clip, facts.video, binary)
    assert difference(seen, wanted) <= CLOSE, (seen, wanted)


def test_an_edit_list_hides_what_it_hides(film: Path, make_clip: Clip, binary: str,
                                          tmp_path: Path) -> None:  # fmt: skip
    clip = make_clip("edited.mp4", ["-ss", "1.52", "-i", str(film), "-c", "copy"])
    facts = probe(clip)
    assert facts.video is not None
    plan = make_plan(facts)
    assert any("edit list" in decision for decision in plan.decisions)
    assert plan.duration == pytest.approx(9 - 1.52, abs=0.05)
    cells = convert(clip, plan, tmp_path, binary, ["240p"])["240p"]
    check_row(plan, "240p", cells)
    assert difference(of_row(whole(cells), binary), of_source(clip, facts.video, binary)) <= CLOSE


def test_a_cover_is_no_film(film: Path, make_clip: Clip) -> None:
    picture = make_clip("cover.png", [*lavfi("640x640", "1", 1, sound=False), "-frames:v", "1"])
    clip = make_clip(
        "covered.mp4", ["-i", str(film), "-i", str(picture), "-map", "0", "-map", "1", "-c", "copy",
                        "-disposition:v:1", "attached_pic"],
    )  # fmt: skip
    plan = make_plan(probe(clip))
    assert (plan.video[0].width, plan.video[0].height) == (640, 360)
    assert any("cover" in decision for decision in plan.decisions)


CORNERS = ((250, 20, 20), (20, 220, 20), (20, 20, 250), (230, 230, 230))
"""Upper left, upper right, lower left, lower right: red, green, blue, white."""
BOXES = ",".join(
    f"drawbox={x}:{y}:64:48:0x{r:02x}{g:02x}{b:02x}:t=fill"
    for (y, x), (r, g, b) in zip(itertools.product((0, 48), (0, 64)), CORNERS, strict=True)
)


@pytest.fixture(scope="module")
def cornered(make_clip: Clip) -> Path:
    return make_clip(
        "cornered.mp4", ["-f", "lavfi", "-i", "color=black:s=128x96:r=5:d=0.6,format=rgb24",
                         "-vf", f"{BOXES},format=yuv420p", *X264, "-crf", "5"],
    )  # fmt: skip


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_and_mirrored(
    angle: int, mirrored: bool, cornered: Path, make_clip: Clip, binary: str, tmp_path: Path
) -> None:
    how = ["-display_rotation:v", str(angle), *(["-display_hflip:v"] if mirrored else [])]
    name = f"turned-{angle}-{mirrored}.mp4"
    clip = make_clip(name, [*how, "-i", str(cornered), "-c", "copy"])
    plan = make_plan(probe(clip), PlanOptions(copy=False))
    words = [word for word, so in (("turned", angle), ("mirrored", mirrored)) if so]
    said = [decision for decision in plan.decisions if "recorded" in decision]
    assert said == (
        [f"The film was recorded {' and '.join(words)}; it is put right."] * bool(words)
    )
    row = plan.video[0].name
    seen = of_row(whole(convert(clip, plan, tmp_path, binary, [row])[row]), binary)
    assert difference(seen, corners_under(display_matrix(clip))) <= 12, seen


def display_matrix(path: Path) -> tuple[int, ...]:
    """The matrix in the file's track header (ISO/IEC 14496-12, 8.3.2)."""
    data = path.read_bytes()
    at = data.index(b"tkhd") + 4 + 40
    return struct.unpack(">9i", data[at : at + 36])


def corners_under(matrix: tuple[int, ...]) -> list[int]:
    """Where the corners come to lie: x' = ax + cy, y' = bx + dy, y downwards."""
    a, b, _, c, d = matrix[:5]
    moved = {}
    for (y, x), colour in zip(itertools.product((-1, 1), (-1, 1)), CORNERS, strict=True):
        moved[(b * x + d * y > 0, a * x + c * y > 0)] = colour
    return [part for place in sorted(moved) for part in moved[place]]


def test_interlaced_film_shows_no_combs(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    bar = "color=black:s=320x180:r=50:d=1[a];color=white:s=40x180:r=50:d=1[b];[a][b]overlay=x=n*5"
    clip = make_clip(
        "interlaced.ts", ["-f", "lavfi", "-i", bar, "-vf", "tinterlace=interleave_top,setfield=tff",
                          "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ildct+ilme"],
    )  # fmt: skip
    plan = make_plan(probe(clip))
    assert any("interlaced" in decision for decision in plan.decisions)
    made = convert(clip, plan, tmp_path, binary, ["180p"])["180p"]
    check_row(plan, "180p", made)
    assert combs(io.BytesIO(whole(made))) * 5 < combs(clip)


def combs(film: Path | io.BytesIO) -> int:
    """How much rows differ from their neighbours, but not from the ones after, in one picture."""
    with av.open(film if isinstance(film, io.BytesIO) else str(film)) as container:
        frame = list(itertools.islice(container.decode(video=0), 13))[-1]
    plane = frame.planes[0]
    data, width = bytes(plane), plane.line_size
    rows = [data[at * width : at * width + frame.width] for at in range(frame.height)]
    return sum(
        max(0, abs(a - b) - abs(a - c))
        for one, two, three in zip(rows, rows[1:], rows[2:], strict=False)
        for a, b, c in zip(one, two, three, strict=True)
    )


def test_tracks_keep_their_language_title_and_purpose(make_clip: Clip) -> None:
    sounds = ["-f", "lavfi", "-i", "sine=d=1"]
    clip = make_clip(
        "tracks.mkv", [*lavfi(sound=False, seconds=1), *sounds * 4, *X264,
                       *(part for number in range(5) for part in ("-map", str(number))),
                       "-default_mode", "passthrough",
                       "-disposition:a:0", "visual_impaired", "-metadata:s:a:0", "language=eng",
                       "-disposition:a:1", "0", "-metadata:s:a:1", "language=deu",
                       "-disposition:a:2", "comment", "-metadata:s:a:2", "language=eng",
                       "-disposition:a:3", "0", "-metadata:s:a:3", "title=Music only"],
    )  # fmt: skip
    plan = make_plan(probe(clip))
    assert [(row.label, row.language, row.default, row.describes) for row in plan.audio] == [
        ("English, described", "eng", False, True),
        ("Deutsch", "deu", True, False),
        ("English, commentary", "eng", False, False),
        ("Music only", "", False, False),
    ]
    assert "All 4 sound tracks can be chosen." in plan.decisions
    lines = [line for line in master_playlist(plan).splitlines() if "describes-video" in line]
    assert len(lines) == 1
    assert 'CHARACTERISTICS="public.accessibility.describes-video"' in lines[0]
    assert 'NAME="English, described"' in lines[0]
    assert Plan.from_json(plan.to_json()) == plan


def test_sound_that_changes_its_rate_and_channels(make_clip: Clip, binary: str,
                                                  tmp_path: Path) -> None:  # fmt: skip
    parts = [
        make_clip(f"part-{f}.aac", ["-f", "lavfi", "-i", f"sine=f={f}:r={rate}:d=4", "-ac", n])
        for f, rate, n in (("440", "44100", "2"), ("880", "48000", "1"))
    ]
    clip = tmp_path / "changing.aac"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    plan = make_plan(probe(clip))
    assert plan.duration == pytest.approx(8, abs=0.1)
    cells = convert(clip, plan, tmp_path, binary)
    check_row(plan, "audio-0", cells["audio-0"])
    made = whole(cells["audio-0"])
    for start, tone in ((1, 440), (3, 440), (4.5, 880), (6.5, 880)):
        assert hertz(made, start, binary) == pytest.approx(tone, abs=5)


def test_sound_that_is_mostly_broken(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    arguments = ["-f", "lavfi", "-i", "sine=d=60", "-c:a", "aac", "-movflags", "+faststart"]
    clip = make_clip("whole.m4a", arguments)
    data = clip.read_bytes()
    broken = tmp_path / "broken.m4a"
    good = len(data) * 12 // 100
    broken.write_bytes(data[:good] + b"\xff" * (len(data) - good))
    plan = make_plan(probe(broken))
    check_row(plan, "audio-0", convert(broken, plan, tmp_path, binary)["audio-0"])


def hertz(data: bytes, start: float, binary: str) -> float:
    """The tone of a second of sound, by how often it goes through zero."""
    command = [binary, "-v", "error", "-f", "mp4", "-i", "pipe:0", "-ss", str(start), "-t", "1"]
    command += ["-ac", "1", "-f", "s8", "pipe:1"]
    done = subprocess.run(command, input=data, check=True, capture_output=True, timeout=60)
    samples = struct.unpack(f"{len(done.stdout)}b", done.stdout)
    return sum(1 for a, b in itertools.pairwise(samples) if a < 0 <= b)
