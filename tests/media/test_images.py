"""Pictures of a film: which one is chosen, and the files that are made of it."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path

import av
import pytest

from app.media.errors import MediaError
from app.media.grid import Plan
from app.media.images import Pictures, make_poster, use_image
from app.media.manifest import Picture, read_manifest
from app.media.plan import make_plan
from app.media.poster import LOOK, LOOK_BYTES, LOOK_PIXELS, judge, places
from app.media.probe import probe

from .conftest import X264, Clip

PARTS = (
    "drawbox=t=fill:color=black:enable='lt(t,3)',fade=in:st=3:d=4,"
    "boxblur=10:2:enable='between(t,7,11)',"
    "drawbox=w=40:h=40:t=fill:color=white:enable='between(t,7,11)',"
    "drawbox=w=40:h=40:t=fill:color=red:enable='gt(t,11)'"
)
"""Black for 3 s, a fade of 4 s, blurred for 4 s with a white corner, then sharp with a red one."""


def never() -> bool:
    return False


def made_of(clip: Path, place: Path, binary: str, seconds: float | None = None) -> Pictures:
    return make_poster(clip, plan_of(clip), place, ffmpeg=binary, stop=never, seconds=seconds)


def plan_of(clip: Path) -> Plan:
    return make_plan(probe(clip))


def listed(place: Path) -> dict[str, Picture]:
    found = read_manifest((place / "pictures.json").read_text())
    return {picture.name: picture for picture in found}


def opened(picture: bytes) -> av.VideoFrame:
    with av.open(io.BytesIO(picture)) as container:
        return next(container.decode(video=0))


def colour(frame: av.VideoFrame, x: int, y: int) -> tuple[int, int, int]:
    plane = frame.reformat(format="rgb24", src_colorspace="ITU601").planes[0]
    red, green, blue = bytes(plane)[y * plane.line_size + 3 * x :][:3]
    return red, green, blue


@pytest.fixture(scope="session")
def parts(make_clip: Clip) -> Path:
    source = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=10:d=14", "-vf", PARTS]
    return make_clip("parts.mp4", [*source, *X264])


def test_the_sharp_part_of_a_film_stands_for_it(parts: Path, binary: str, tmp_path: Path) -> None:
    made_of(parts, tmp_path, binary)
    red, green, blue = colour(opened((tmp_path / "poster.jpg").read_bytes()), 20, 20)
    assert red > 200
    assert max(green, blue) < 60


def test_a_wished_moment_wins_though_it_is_blurred(
    parts: Path, binary: str, tmp_path: Path
) -> None:
    made_of(parts, tmp_path, binary, 9.0)
    assert min(colour(opened((tmp_path / "poster.jpg").read_bytes()), 20, 20)) > 220


@pytest.mark.parametrize("picture", ["color=black", "color=white", "color=gray"])
def test_a_film_with_nothing_to_see_has_pictures(
    make_clip: Clip, binary: str, tmp_path: Path, picture: str
) -> None:
    source = ["-f", "lavfi", "-i", f"{picture}:s=320x180:r=10:d=2"]
    made = made_of(make_clip(f"{picture}.mp4", [*source, *X264]), tmp_path, binary)
    assert all(path.stat().st_size for path in made.files)


def test_a_long_film_is_looked_at_by_its_key_frames(
    make_clip: Clip, binary: str, tmp_path: Path
) -> None:
    dark = "testsrc2=s=160x90:r=2:d=200,drawbox=t=fill:color=black:enable='lt(t,150)'"
    clip = make_clip("long.mp4", ["-f", "lavfi", "-i", dark, *X264, "-g", "16"])
    made_of(clip, tmp_path, binary)
    assert (tmp_path / "poster.jpg").stat().st_size > 4_000


def test_measure() -> None:
    def small(value: object, colours: int = 128) -> bytes:
        width, height = LOOK
        grey = bytes(value(x, y) for y in range(height) for x in range(width))  # type: ignore[operator]
        return grey + bytes([colours]) * (LOOK_BYTES - LOOK_PIXELS)

    def wave(x: int, y: int, period: int) -> int:
        return (x % period + y % period) * 127 // period

    rich = small(lambda x, y: wave(x, y, 12))
    blurred = small(lambda x, y: round(127 + 60 * math.sin(x / 20) + 60 * math.sin(y / 20)))
    title = small(lambda x, y: 255 if 80 <= y < 100 and x % 8 < 3 else 0)
    flat = small(lambda x, y: 128)
    darker = bytes(value * 9 // 10 for value in rich[:LOOK_PIXELS]) + rich[LOOK_PIXELS:]
    still = judge(rich, rich)
    assert still > 3 * judge(blurred, blurred)
    assert still > 3 * judge(title, title)
    assert judge(flat, flat) == 0
    assert judge(small(lambda x, y: wave(x, y, 12), 150), rich) > still, "colour counts"
    assert judge(rich, darker) < 0.6 * still, "a fade"
    assert judge(rich, flat) < 0.6 * still, "a cut"


def test_places_are_apart_and_never_none() -> None:
    assert places(0.04) == [0.012, 0.0]
    assert len(places(2.0)) == 4
    assert len(places(7200.0)) == 13
    assert all(0 <= moment < 7200 for moment in places(7200.0))


def test_sizes_and_formats(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    source = ["-f", "lavfi", "-i", "color=0x2060a0:s=1280x720:r=10:d=1"]
    matrix = ["-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"]
    made = made_of(make_clip("hd.mp4", [*source, *matrix, *X264]), tmp_path, binary)
    found = listed(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*found, "pictures.json"}
    assert {path.name for path in made.files} == {*found, "pictures.json"}
    sizes = {(picture.width, picture.format) for picture in found.values()}
    assert sizes == {
        *((width, "jpeg") for width in (480, 1280)),
        *((width, kind) for width in (480, 960, 1280) for kind in ("webp", "avif")),
    }
    for name, picture in found.items():
        frame = opened((tmp_path / name).read_bytes())
        assert (frame.width, frame.height) == (picture.width, picture.height)
        for seen, meant in zip(colour(frame, 100, 100), (0x20, 0x60, 0xA0), strict=True):
            assert abs(seen - meant) < 10, name
    assert made.placeholder is not None
    assert len(made.placeholder) <= 400
    head, data = made.placeholder.split(",")
    assert head == "data:image/webp;base64"
    assert opened(base64.b64decode(data)).width == 20


def test_no_picture_is_larger_than_the_film(film: Path, binary: str, tmp_path: Path) -> None:
    made_of(film, tmp_path, binary)
    found = listed(tmp_path)
    assert max(picture.width for picture in found.values()) == 640
    assert len(found) == 6


def test_an_own_image_and_a_broken_one(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    source = ["-f", "lavfi", "-i", "color=red:s=2501x999", "-frames:v", "1"]
    image = make_clip("own.png", source)
    use_image(image, tmp_path, ffmpeg=binary, stop=never)
    found = listed(tmp_path)
    assert found["1920.avif"] == Picture("1920.avif", 1920, 766, "avif")
    assert found["poster.jpg"].width == 1280
    broken = tmp_path / "broken.png"
    broken.write_bytes(image.read_bytes()[:60])
    with pytest.raises(MediaError, match="not_an_image"):
        use_image(broken, tmp_path, ffmpeg=binary, stop=never)


def test_a_tiny_film_has_what_can_be_made(make_clip: Clip, binary: str, tmp_path: Path) -> None:
    source = ["-f", "lavfi", "-i", "testsrc2=s=32x18:r=10:d=1"]
    made = made_of(make_clip("tiny.mp4", [*source, *X264]), tmp_path, binary)
    assert {"poster.jpg", "thumb.jpg"} <= set(listed(tmp_path))
    assert made.placeholder
