"""Probing in a process of its own: a film that breaks the parser does not break the worker."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Final

import av

from app.media.encoding import understand
from app.media.errors import damaged, too_demanding
from app.media.facts import SourceFacts
from app.media.limits import PER_CORE, STALL_SECONDS
from app.media.runner import Limits, run

PROBER: Final = Path(__file__).with_name("prober.py")
LIMITS: Final = Limits(
    cpu_seconds=120,
    memory=(2 << 30) + (os.cpu_count() or 1) * PER_CORE,
    file_bytes=0,
    open_files=16,
)
"""It reads one file and writes none. A picture of 8K and the index of a day at 60/s fit in."""

CODE: Final = (Path(sysconfig.get_path("stdlib")), Path(av.__file__).parent)
"""What Python and PyAV import only when they need it: programs, and nobody's secret."""

WALL_SECONDS: Final = 300
ANSWER_BYTES: Final = 256 << 20
"""The times and sizes of cage.MAX_FRAMES pictures are 130 MB."""


def probe_apart(
    path: Path, *, stop: Callable[[], bool], whole: int | None = None, limits: Limits = LIMITS
) -> SourceFacts:
    """Like ``probe.probe``, in the cage.

    Raises MediaError (stage probe) as that does, too_demanding where it takes too long, damaged
    where the process died of it or answered nonsense, hung; Stopped.
    """
    answer = bytearray()

    def take(data: bytes) -> None:
        if len(answer) + len(data) > ANSWER_BYTES:
            raise damaged("probe", "the answer does not end")
        answer.extend(data)

    finished = run(
        ["probe", str(path), *([] if whole is None else [str(whole)])],
        door=PROBER,
        limits=limits,
        wall_seconds=WALL_SECONDS,
        stall_seconds=STALL_SECONDS,
        stop=stop,
        reads=[path, *CODE],
        stdout=take,
        stage="probe",
    )
    # A death need not be the film's fault, a machine without memory kills too: so try again.
    if finished.cpu_seconds > limits.cpu_seconds - 1:
        raise too_demanding(finished.log, permanent=False)
    if finished.returncode != 0:
        raise damaged("probe", finished.log, permanent=False)
    try:
        return understand(bytes(answer))
    except ValueError as error:
        raise damaged("probe", f"{error}\n{finished.log}", permanent=False) from error
