"""`/videos/ID/edit`: what is said of a film, its picture and captions, who else may watch it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.auth.identity import login_required, require_user
from app.auth.models import User
from app.auth.pages import status_of
from app.database import db
from app.errors import InvalidInput
from app.videos import policy, queries, service
from app.videos.models import Video
from app.videos.pages.forms import FilmForm
from app.videos.presentation import describe

pages = Blueprint("edit", __name__, url_prefix="/videos/<int:id>/edit")

HERE = ""
"""Addresses in pages are relative to the page, whatever name of this machine it is open under."""


@pages.get("")
@login_required
def show(id: int) -> ResponseReturnValue:
    """Show what can be changed."""
    user = require_user()
    video = queries.changeable(id, user)
    form = FilmForm()
    form.show(video)
    return _page(video, user, form)


@pages.post("")
@login_required
def save(id: int) -> ResponseReturnValue:
    """Change what is said of the film."""
    user = require_user()
    video = queries.changeable(id, user)
    form = FilmForm()
    if form.validate_on_submit():
        try:
            service.change(video, form.wanted(with_place=policy.may_fill_catalogue(user)))
        except InvalidInput as error:
            db.session.rollback()
            form.refuse(error)
        else:
            db.session.commit()
            flash("Your changes are saved.")
            return redirect(url_for("videos.film", id=id), 303)
    return _page(video, user, form), status_of(form)


def _page(video: Video, user: User, form: FilmForm) -> str:
    said: dict[str, Any] = describe(video, user, HERE)
    return render_template(
        "videos/edit.html",
        video=said,
        form=form,
        categories=queries.categories(user),
        orders=policy.may_fill_catalogue(user) and video.is_global,
        may_share=policy.may_share(user, video),
        may_publish=policy.may_publish(user, video),
    )
