"""The buttons and small forms of a film's owner: each does one thing and goes back to its page."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app.auth.forms import require_button_form
from app.auth.identity import login_required, require_user
from app.auth.models import User
from app.database import db
from app.errors import DomainError, InvalidInput
from app.videos import adornments, policy, queries, service, sharing, work
from app.videos.models import Video
from app.videos.uploads.form import MAX_CAPTIONS_BYTES, MAX_IMAGE_BYTES, small_file

pages = Blueprint("owner", __name__, url_prefix="/videos/<int:id>")


@pages.post("/delete")
@login_required
def delete(id: int) -> Response:
    """Delete a film and go back to one's own."""
    video = queries.changeable(id, require_user())
    require_button_form()
    title = video.title
    service.remove(video)
    db.session.commit()
    flash(f"“{title}” was deleted.")
    return redirect(url_for("videos.my_videos"))


@pages.post("/cancel")
@login_required
def cancel(id: int) -> Response:
    """Stop converting a film."""
    return _act(id, work.cancel, "It is no longer converted. Its file is kept.")


@pages.post("/retry")
@login_required
def retry(id: int) -> Response:
    """Convert a failed or cancelled film again."""
    return _act(id, work.retry, "It is converted again.")


@pages.post("/convert")
@login_required
def convert(id: int) -> Response:
    """Convert a ready film again, with today's settings."""
    return _act(id, work.convert_again, "It is converted again. You can watch it meanwhile.")


@pages.post("/share")
@login_required
def share(id: int) -> Response:
    """Make the film's link."""
    said = "The link is there. Whoever has it can watch the film, until you withdraw it."
    return _act(id, sharing.share, said, find=queries.shareable)


@pages.post("/unshare")
@login_required
def unshare(id: int) -> Response:
    """Withdraw the film's link."""
    return _act(id, sharing.unshare, "The link no longer works.", find=queries.shareable)


@pages.post("/publish")
@login_required
def publish(id: int) -> Response:
    """Put the film into the catalogue."""
    said = "It is in the catalogue, for everyone to watch."
    return _act(id, service.publish, said, find=queries.publishable)


@pages.post("/withdraw")
@login_required
def withdraw(id: int) -> Response:
    """Take the film out of the catalogue."""
    return _act(id, service.withdraw, "It is out of the catalogue.", find=queries.publishable)


@pages.post("/poster")
@login_required
def poster(id: int) -> Response:
    """Choose a moment of the film, or an image, as its picture."""

    def choose(video: Video) -> None:
        if moment := request.form.get("time", "").strip():
            adornments.choose_moment(video, _seconds(moment))
        else:
            adornments.choose_image(video, small_file(request, "image", MAX_IMAGE_BYTES))

    return _act(id, choose, "The new picture will be there in a moment.", MAX_IMAGE_BYTES)


@pages.post("/subtitles")
@login_required
def add_subtitle(id: int) -> Response:
    """Add captions."""

    def add(video: Video) -> None:
        data = small_file(request, "file", MAX_CAPTIONS_BYTES)
        language, label = (request.form.get(name, "") for name in ("language", "label"))
        adornments.add_subtitle(video, data, language, label)

    return _act(id, add, "The captions are there.", MAX_CAPTIONS_BYTES)


@pages.post("/subtitles/<int:subtitle_id>/remove")
@login_required
def remove_subtitle(id: int, subtitle_id: int) -> Response:
    """Remove captions."""
    return _act(
        id, lambda video: adornments.remove_subtitle(video, subtitle_id), "The captions are gone."
    )


def _act(
    video_id: int,
    act: Callable[[Video], object],
    said: str,
    size: int = 0,
    find: Callable[[int, User], Video] = queries.changeable,
) -> Response:
    """Do it to a film for which this person pressed our button; say how it went.

    `find` raises unless they may. `size` is how many bytes a file of the form may have.
    """
    video = find(video_id, require_user())
    if size:
        request.max_content_length = size + 2**20
    require_button_form()
    try:
        act(video)
    except DomainError as error:
        db.session.rollback()
        sentences = [text for texts in error.errors.values() for text in texts]
        flash(" ".join(sentences) or error.detail, "error")
    else:
        db.session.commit()
        flash(said)
    if not policy.may_see(require_user(), video):
        return redirect(url_for("videos.browse"))
    return redirect(_where_it_was(video_id))


def _where_it_was(video_id: int) -> str:
    """The page on which the button was: `back` names it, and the part of it."""
    match request.args.get("back"):
        case "edit":
            return url_for("edit.show", id=video_id)
        case "sharing":
            return url_for("edit.show", id=video_id, _anchor="sharing")
        case _:
            return url_for("videos.film", id=video_id)


def _seconds(text: str) -> float:
    """Seconds of “1:02:03”, “4:05” or “12.5”. Raises InvalidInput."""
    try:
        seconds = 0.0
        for part in text.split(":"):
            seconds = seconds * 60 + float(part)
        if not 0 <= seconds < 10**6:
            raise ValueError
    except ValueError:
        raise InvalidInput({"time": ["Write the time as minutes and seconds: 4:05."]}) from None
    return seconds
