"""Landlock: what a process may reach of files, network and other processes (man 7 landlock).

The kernel does this for anybody, without root. The parent writes the rules into a ruleset, which
is a file descriptor; the child puts itself under them (`launch.enter`) before it meets a film. An
older kernel knows fewer rights and holds to those it knows; without Landlock the limits remain.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

CREATE_RULESET: Final = 444
ADD_RULE: Final = 445
"""System calls, the same on every architecture but Alpha; 446 is in `launch.py`."""
VERSION: Final = 1
PATH_BENEATH: Final = 1

# linux/landlock.h
EXECUTE: Final = 1 << 0
WRITE_FILE: Final = 1 << 1
READ_FILE: Final = 1 << 2
READ_DIR: Final = 1 << 3
REMOVE_FILE: Final = 1 << 5
MAKE_REG: Final = 1 << 8
TRUNCATE: Final = 1 << 14
FILES_BY_ABI: Final = (0, 13, 14, 15, 15, 16)
"""How many of the rights on files an ABI knows; later ones know no more of them."""
TCP_ABI: Final = 4
TCP: Final = 1 << 0 | 1 << 1
"""To bind and to connect; as no port is named in a rule, none is allowed."""
SCOPE_ABI: Final = 6
SCOPES: Final = 1 << 0 | 1 << 1
"""No abstract Unix socket of others, and no signal to them."""

OF_FILES: Final = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
PLACE: Final = READ_FILE | WRITE_FILE | READ_DIR | MAKE_REG | REMOVE_FILE | TRUNCATE
LIBRARIES: Final = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", "/gnu/store",
    "/etc/ld.so.cache", "/etc/ld.so.preload",
)  # fmt: skip
"""Where a program finds its loader and its libraries, besides ``LD_LIBRARY_PATH`` and the ``lib``
beside its own folder. Nothing there is anybody's secret."""


@functools.cache
def abi() -> int:
    """The version of Landlock that is in force here; 0 is none."""
    if sys.platform != "linux":
        return 0
    return max(0, _call(CREATE_RULESET, None, 0, VERSION))


def open_ruleset(
    *,
    program: Path | None,
    reads: Iterable[Path],
    writes: Iterable[Path],
) -> int | None:
    """A ruleset under which ``program`` runs, ``reads`` (files, or folders with all below) are
    read, and files below the folders in ``writes`` are read, made, written and removed; all else
    on disk, TCP, and others' processes are out of reach. The caller closes the descriptor; None
    where the kernel has no Landlock.

    Paths that do not exist are left out. Raises OSError.
    """
    known = abi()
    if known == 0:
        return None
    files = (1 << FILES_BY_ABI[min(known, len(FILES_BY_ABI) - 1)]) - 1
    rights = struct.pack(
        "=QQQ", files, TCP if known >= TCP_ABI else 0, SCOPES if known >= SCOPE_ABI else 0
    )
    ruleset = _call(
        CREATE_RULESET, rights, 8 if known < TCP_ABI else 16 if known < SCOPE_ABI else 24, 0
    )
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    try:
        if program is not None:
            for path in _needed(program):
                _allow(ruleset, path, files & (READ_FILE | EXECUTE))
        for path in reads:
            _allow(ruleset, path, files & (READ_FILE | READ_DIR))
        for path in writes:
            _allow(ruleset, path, files & PLACE)
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def _needed(program: Path) -> Sequence[Path]:
    """The program itself, and the folders of its libraries."""
    own = program.resolve()
    added = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    folders = [*LIBRARIES, *(folder for folder in added if folder.startswith("/"))]
    return [own, own.parent.parent / "lib", *map(Path, folders)]


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what cannot be reached needs no leave
    try:
        if not os.path.isdir(beneath):
            rights &= OF_FILES
        rule = struct.pack("=Qi", rights, beneath)
        if _call(ADD_RULE, ruleset, PATH_BENEATH, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), "landlock_add_rule", str(path))
    finally:
        os.close(beneath)


def _call(number: int, *arguments: int | bytes | None) -> int:
    """syscall(2): integers as the kernel's words, bytes by their address."""
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    words = (ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)
    return int(syscall(ctypes.c_long(number), *words))
