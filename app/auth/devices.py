"""What a browser calls itself, in words for its owner."""

from __future__ import annotations

from functools import lru_cache

import ua_parser


@lru_cache(maxsize=512)
def device(agent: str) -> str:
    """A `User-Agent` as “Firefox on Windows”; a program's own name; else “unknown device”."""
    found = ua_parser.parse(agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or agent.partition("/")[0].strip()[:40] or "unknown device"
