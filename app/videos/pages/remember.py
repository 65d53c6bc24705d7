"""Buttons about a film that change only what this person remembers, for browsers without scripts.

Scripts of our own pages ask the API instead.
"""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app.auth.forms import require_button_form
from app.auth.identity import login_required, require_user
from app.auth.models import User
from app.auth.next_page import safe_next
from app.database import db
from app.videos import queries, viewings

pages = Blueprint("remember", __name__, url_prefix="/videos/<int:id>")


@pages.post("/keep")
@login_required
def keep(id: int) -> Response:
    """Put the film on one's list, or take it off."""
    user = _pressed()
    if request.form.get("keep") == "no":
        if not viewings.unsave(user.id, id):
            queries.visible(id, user)
    else:
        viewings.save(user.id, queries.visible(id, user).id)
    return _go_back()


@pages.post("/leave")
@login_required
def leave(id: int) -> Response:
    """Take the film out of those to go on with."""
    user = _pressed()
    title = queries.visible(id, user).title
    if viewings.leave(user.id, id):
        flash(f"“{title}” is no longer among the films to go on with.")
    return _go_back()


@pages.post("/watched")
@login_required
def watched(id: int) -> Response:
    """Say that one has seen the film, or that one has not."""
    user = _pressed()
    if request.form.get("watched") == "no":
        viewings.forget(user.id, queries.visible(id, user).id)
    else:
        viewings.mark_watched(user, queries.to_watch(id, user))
    return _go_back()


def _pressed() -> User:
    user = require_user()
    require_button_form()
    return user


def _go_back() -> Response:
    """Commit, and show the page on which the button was."""
    db.session.commit()
    return redirect(safe_next(request.form.get("next")) or url_for("videos.browse"), 303)
