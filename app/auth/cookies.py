"""The API's cookies; their names are fixed because existing front ends know them."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TypeVar

from flask import Response as FlaskResponse
from flask import current_app, request
from werkzeug.wrappers import Response

from app.auth import sessions
from app.auth.identity import ACCESS_COOKIE, REFRESH_COOKIE
from app.security import bearer_token

R = TypeVar("R", bound=Response)

CSRF_COOKIE = "csrftoken"


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


def offer_csrf_token(response: FlaskResponse) -> FlaskResponse:
    """Give a browser that asks the API a token that its scripts can read and send back.

    Front ends written for a double-submit check find what they expect. Nothing depends on it: the
    origin check of `app.security` decides, and no header can forge that.
    """
    if (
        request.path.startswith("/api/")
        and request.method != "OPTIONS"
        and CSRF_COOKIE not in request.cookies
        and bearer_token() is None
    ):
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        token = secrets.token_urlsafe(32)
        response.set_cookie(CSRF_COOKIE, token, path="/", secure=secure, samesite="Lax")
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
