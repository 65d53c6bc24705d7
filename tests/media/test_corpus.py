"""Real films of every kind convert, keep their pictures, and are what the playlist says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.media.errors import MediaError
from app.media.grid import VideoRow
from app.media.images import make_poster
from app.media.plan import Plan
from app.media.probe import probe
from tests.media.conftest import CORPUS
from tests.media.playback import check_row, convert_film, never

REFUSED = {
    "broken_free_box_unopenable.mp4": "not_a_film",  # ffmpeg cannot open it either
    "broken_vp9_bitstream.webm": "damaged",  # not one picture decodes
    "bee.gif": "not_a_film",  # a picture, on purpose
}
LONG = {"long_1080p_h264_6min.mp4"}


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
    for name, filled in cells.items():
        played = check_row(plan, name, filled)
        if isinstance(plan.row(name), VideoRow) and plan.source and plan.source.exact:
            assert facts.video is not None
            assert len(played.times) == len(facts.video.frames) == sum(plan.frames)
    made = make_poster(path, plan, tmp_path, ffmpeg=binary, stop=never)
    assert min(picture.stat().st_size for picture in made.files) > 100
