"""What an account owns beyond itself: other packages say how it is told and how it is removed.

Accounts know no films, and yet an account leaves nothing behind. `app.videos` registers here what
deleting an account and exporting its data mean for films, and how many bytes they take.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from flask import Flask, current_app


class Belongings(Protocol):
    """One kind of thing that accounts own."""

    def export(self, user_id: int) -> list[dict[str, Any]]:
        """Everything of this kind that the account owns, as JSON can carry it."""
        ...

    def remove(self, user_id: int) -> None:
        """Remove it in the current transaction; files go once that is committed."""
        ...

    def used_bytes(self, user_id: int) -> int:
        """What counts against the account's quota."""
        ...


def register_belongings(app: Flask, name: str, kind: Belongings) -> None:
    """Let accounts know of one more kind of thing that they own."""
    app.extensions.setdefault("belongings", {})[name] = kind


def export_belongings(user_id: int) -> dict[str, list[dict[str, Any]]]:
    """Everything the account owns, by kind."""
    return {name: kind.export(user_id) for name, kind in _kinds().items()}


def remove_belongings(user_id: int) -> None:
    """Remove everything the account owns, in the current transaction."""
    for kind in _kinds().values():
        kind.remove(user_id)


def used_bytes(user_id: int) -> int:
    """What the account has used of its quota."""
    return sum(kind.used_bytes(user_id) for kind in _kinds().values())


def _kinds() -> dict[str, Belongings]:
    return cast("dict[str, Belongings]", current_app.extensions.get("belongings", {}))
