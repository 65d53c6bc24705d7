"""`/s/KEY`: a film for whoever has its link, without an account."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from app.limits import wrong_links
from app.videos import sharing
from app.videos.facts import facts_of
from app.videos.presentation import describe_playback

pages = Blueprint("shared", __name__, url_prefix="/s")

HERE = ""
"""Addresses in the page are relative to it."""


@pages.get("/<key>")
@wrong_links
def watch(key: str) -> str:
    """The player, with nothing around it that would ask for an account."""
    video = sharing.find(key)
    return render_template(
        "videos/watch.html",
        share_key=key,
        video=facts_of([video])[0],
        playback=describe_playback(video, None, HERE),
        related=[],
    )


@pages.after_request
def keep_apart(answer: Response) -> Response:
    """The address opens the film: no search engine lists it, and no other site is told of it."""
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
