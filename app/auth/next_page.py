"""Where to go after signing in: only ever to a page of our own."""

from __future__ import annotations

MAX_LENGTH = 2000


def safe_next(target: str | None) -> str | None:
    """The target if it is a path of ours, else None.

    Browsers read a backslash as a slash and drop tabs and line breaks inside an address, so none of
    these may be in it; two slashes at the start would name another host. What starts with a single
    slash has neither scheme nor host.
    """
    if not target or len(target) > MAX_LENGTH or not target.startswith("/"):
        return None
    if target.startswith("//") or "\\" in target or not target.isprintable() or " " in target:
        return None
    return target
