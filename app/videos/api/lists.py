"""A page of a list as JSON: films as the person sees them, and where the list goes on."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from flask import Response, jsonify, request

from app.auth.models import User
from app.videos.presentation import absolute, describe_all
from app.videos.queries import Page
from app.videos.search.finding import Found


def list_answer(found: Page, user: User) -> Response:
    """The page as a bare array; its `Link` names the next one, if there is one."""
    return with_next(jsonify(describe_all(found.videos, user)), found.next_before)


def found_answer(found: Found, user: User) -> Response:
    """A page of what was found; `Search-Instead` says, percent-encoded, what a typo stood for."""
    answer = list_answer(found.page, user)
    if found.instead is not None:
        answer.headers["Search-Instead"] = quote(found.instead)
    return answer


def with_next(answer: Response, before: str | None) -> Response:
    """The answer with the `Link` to the page that begins at this cursor."""
    if before is not None:
        query = {**request.args.to_dict(), "before": before}
        target = absolute(f"{request.path}?{urlencode(query)}")
        answer.headers["Link"] = f'<{target}>; rel="next"'
    return answer
