"""The files of `deploy/` for one run on this machine: as they are shipped, but for names of places.

Tests and benchmarks drive these; what differs from a deployment is only what `changes` says.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from config import ROOT

SHIPPED = ROOT / "deploy"

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def copy_shipped(name: str, target: Path, changes: Mapping[str, str]) -> None:
    """Copy a file, or a folder with its files, with the changes made in each.

    Longer texts are changed first. Raises ValueError for a change that changes nothing, since the
    shipped files have then moved on without it.
    """
    source = SHIPPED / name
    unused = set(changes)
    for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if not file.is_file():
            continue
        text = file.read_text()
        for old in sorted(changes, key=len, reverse=True):
            if old in text:
                unused.discard(old)
                text = text.replace(old, changes[old])
        copy = target / file.relative_to(source) if source.is_dir() else target
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
    if unused:
        raise ValueError(f"deploy/{name} does not hold {', '.join(sorted(unused))}")
