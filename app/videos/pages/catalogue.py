"""Pages beside /browse: one row of it, all films behind a row's heading, a series."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for

from app.auth.identity import login_required, require_user
from app.errors import NotFound
from app.videos import queries, rows, series, shelves
from app.videos.presentation import describe_all, for_viewer
from app.videos.seasons import first_unseen, seasons_of, shown_season

pages = Blueprint("catalogue", __name__)

GRID_LENGTH = 60
"""Films on one page of a category or of a list of one's own."""

HERE = ""
"""Addresses in pages are relative to the page, whatever name of this machine it is open under."""


@pages.get("/browse/row")
@login_required
def row() -> str:
    """The films in the row of a category, as the part of /browse that is fetched later."""
    user = require_user()
    name = request.args.get("category")
    films = rows.of_category(name, user, HERE) if name else []
    if not films:
        raise NotFound("There is no such row.")
    return render_template("videos/row.html", films=films)


@pages.get("/browse/category/<path:name>")
@login_required
def category(name: str) -> str:
    """All films of a category."""
    user = require_user()
    found = shelves.leaf(limit=GRID_LENGTH, before=request.args.get("before"), category=name)
    if not found.films:
        raise NotFound("There are no films here any more.")
    older = found.next_before and url_for(".category", name=name, before=found.next_before)
    films = for_viewer(found.films, user, HERE)
    return render_template("videos/grid.html", title=name, films=films, older=older)


@pages.get("/my-list")
@login_required
def my_list() -> str:
    """The films that one keeps on one's list, the latest addition first."""
    user = require_user()
    found = queries.saved(user, limit=GRID_LENGTH, before=request.args.get("before"))
    return render_template(
        "videos/grid.html",
        title="My list",
        films=describe_all(found.videos, user, HERE),
        older=found.next_before and url_for(".my_list", before=found.next_before),
        empty=("Nothing on your list", "Press + on a film, and you find it here."),
    )


@pages.get("/continue-watching")
@login_required
def continue_watching() -> str:
    """The films that one has begun and not finished, the one seen last first."""
    user = require_user()
    found = queries.continued(user, limit=GRID_LENGTH, before=request.args.get("before"))
    return render_template(
        "videos/grid.html",
        title="Continue watching",
        films=describe_all(found.videos, user, HERE),
        older=found.next_before and url_for(".continue_watching", before=found.next_before),
        empty=("Nothing to go on with", "A film that you begin stands here until you finish it."),
        resume=True,
    )


@pages.get("/series/<int:id>")
@login_required
def show_series(id: int) -> str:
    """A series: its seasons, its episodes, and which one comes next."""
    user = require_user()
    episodes = describe_all(series.episodes(id, user), user, HERE)
    seasons = seasons_of(episodes)
    upcoming = first_unseen(episodes)
    season = shown_season(seasons, request.args.get("season"), upcoming)
    return render_template(
        "videos/series.html",
        title=episodes[0]["series"]["title"],
        seasons=seasons,
        season=season,
        upcoming=upcoming,
    )
