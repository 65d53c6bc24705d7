"""`/search`: films as one types; a form of its own for browsers without scripts."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from app.auth.identity import login_required, require_user
from app.videos import categories
from app.videos.presentation import describe_all
from app.videos.search import finding
from app.videos.search.finding import Found
from app.videos.search.text import QUERY_LENGTH

pages = Blueprint("search", __name__)

PAGE_LENGTH = 48

SUGGESTIONS = 12
"""Categories that an empty page names."""

HERE = ""
"""Addresses in pages are relative to the page, whatever name of this machine it is open under."""


@pages.get("/search")
@login_required
def show() -> str:
    """Films for `q`; `part=results` asks for what is shown below the form alone."""
    user = require_user()
    q = request.args.get("q", "")[:QUERY_LENGTH].strip()
    found = finding.everywhere(user, q, limit=PAGE_LENGTH, before=request.args.get("before"))
    part = request.args.get("part") == "results"
    return render_template(
        "videos/search_results.html" if part else "videos/search.html",
        q=q,
        said=_said(q, found),
        videos=describe_all(found.page.videos, user, HERE),
        next_before=found.page.next_before,
        is_first="before" not in request.args,
        categories=[] if found.page.videos else _suggestions(),
        max_length=QUERY_LENGTH,
    )


def _suggestions() -> list[str]:
    return [category.name for category in categories.counted()[:SUGGESTIONS]]


def _said(q: str, found: Found) -> str:
    """How many there are, in words that are read out as one types."""
    if not q:
        return ""
    count = len(found.page.videos)
    words = "no films" if not count else "1 film" if count == 1 else f"{count} films"
    if found.page.next_before is not None:
        words = f"more than {words}"
    if found.instead is not None:
        return f"No film matches “{q}”. Showing {words} for “{found.instead}”."
    return f"{words[0].upper()}{words[1:]} for “{q}”"
