"""The API's two cookies; their names are fixed because existing front ends know them."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from flask import current_app
from werkzeug.wrappers import Response

from app.auth import sessions
from app.auth.identity import ACCESS_COOKIE, REFRESH_COOKIE

R = TypeVar("R", bound=Response)


def set_api_cookies(response: R, access: str, refresh: str) -> R:
    """Give the browser both tokens, out of reach of its scripts."""
    _set(response, ACCESS_COOKIE, access, timedelta(minutes=current_app.config["ACCESS_MINUTES"]))
    _set(response, REFRESH_COOKIE, refresh, sessions.idle_limit())
    return response


def clear_api_cookies(response: R) -> R:
    """Take both tokens away."""
    for name in (ACCESS_COOKIE, REFRESH_COOKIE):
        response.delete_cookie(
            name,
            path="/",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
    return response


def _set(response: Response, name: str, value: str, age: timedelta) -> None:
    response.set_cookie(
        name,
        value,
        max_age=age,
        path="/",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
