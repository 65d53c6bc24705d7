"""Lengths, sizes and times as people read them, and times as programs do."""

from __future__ import annotations

from datetime import UTC, datetime


def duration(seconds: float | None) -> str:
    """Seconds as 1:02:03 or 4:05."""
    if seconds is None:
        return ""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def remaining(seconds: float | None, position: float) -> str:
    """What is left of a film of so many seconds: 12 min left, 1 h 5 min left; "" if unknown."""
    if seconds is None:
        return ""
    minutes = round(max(0.0, seconds - position) / 60)
    if minutes < 1:
        return "less than a minute left"
    hours, minute = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minute} min" if minute else ""]
    return f"{' '.join(filter(None, parts))} left"


def bytesize(size: int | None) -> str:
    """Bytes in the unit that leaves few digits, by powers of 1000 as disks and networks count."""
    if size is None:
        return ""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def foreseen(place: int | None, seconds: float | None) -> str:
    """A place in the queue and seconds left, as js/words.js tells them: 3rd in the queue · …"""
    queue = "" if place is None else f"{ordinal(place)} in the queue"
    return " · ".join(filter(None, (queue, "" if seconds is None else _left(seconds))))


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th."""
    teens = number % 100 in {11, 12, 13}
    ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _left(seconds: float) -> str:
    if seconds < 10:
        return "a few seconds left"
    if seconds < 55:
        return f"about {round(seconds / 10) * 10} seconds left"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"about {minutes} {'minute' if minutes == 1 else 'minutes'} left"
    hours = round(minutes / 30) / 2
    return f"about {hours:g} {'hour' if hours == 1 else 'hours'} left"


def date(moment: str) -> str:
    """The day of an RFC 3339 time."""
    return moment[:10]


def rfc3339(moment: datetime) -> str:
    """A time as RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
