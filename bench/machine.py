"""The machine on which something is measured, and whether it had other things to do."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

NOISY_SHARE = 0.1
"""From this share of busy processors on, before a benchmark starts, its numbers are doubtful."""


@dataclass(frozen=True)
class Machine:
    """What a reader must know to compare numbers."""

    processor: str
    cores: int
    system: str
    python: str
    ffmpeg: str
    load: float
    """Load average of the last minute before the first benchmark."""

    def sentence(self) -> str:
        """The machine in one line."""
        return (
            f"{self.cores} cores of {self.processor}, {self.system}, Python {self.python}, "
            f"ffmpeg {self.ffmpeg}; load average before: {self.load:.2f}"
        )


def this_machine(ffmpeg: str) -> Machine:
    """The machine on which this runs, with the version of the ffmpeg binary at this path."""
    answer = subprocess.run(  # noqa: S603 - our own ffmpeg
        [ffmpeg, "-version"], capture_output=True, text=True, check=True
    ).stdout
    version = re.match(r"ffmpeg version (\S+)", answer)
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        python=platform.python_version(),
        ffmpeg=version[1].split("-")[0].lstrip("n") if version else "unknown",
        load=os.getloadavg()[0],
    )


def busy_share(seconds: float = 1.0) -> float:
    """The share of all processors' time, 0…1, that anything uses during so many seconds."""
    busy_before, all_before = _ticks()
    time.sleep(seconds)
    busy, everything = _ticks()
    return (busy - busy_before) / max(1, everything - all_before)


def _ticks() -> tuple[int, int]:
    """Busy ticks and all ticks since the start: user nice system idle iowait … of proc(5) stat."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return found[1] if found else platform.machine()
