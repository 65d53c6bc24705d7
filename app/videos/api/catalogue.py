"""The JSON API of the catalogue: publishing, share links, categories, series."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from apiflask import APIBlueprint
from flask import Response, jsonify

from app.auth.identity import require_user, signed_in
from app.database import db
from app.errors import Forbidden
from app.json_body import json_body
from app.videos import categories, policy, queries, series, service, sharing, shelves
from app.videos.api.lists import with_next
from app.videos.catalogue_schemas import (
    CategoryOrder,
    CategoryOut,
    SeriesOut,
    SeriesWithEpisodes,
    ShareOut,
)
from app.videos.presentation import describe, describe_all, describe_series, share_url
from app.videos.schemas import ListQuery, VideoOut

api = APIBlueprint("catalogue_api", __name__, url_prefix="/api", tag="Catalogue")


@api.post("/videos/<int:video_id>/publish/")
@api.output(VideoOut)
@api.doc(responses=[409])
def publish(video_id: int) -> dict[str, Any]:
    """Put a film into the catalogue, for everyone to watch."""
    user = require_user()
    service.publish(queries.publishable(video_id, user))
    db.session.commit()
    return describe(queries.visible(video_id, user), user)


@api.delete("/videos/<int:video_id>/publish/")
@api.output({}, status_code=204)
def withdraw(video_id: int) -> tuple[str, int]:
    """Take a film out of the catalogue; whoever else is watching it is cut off."""
    service.withdraw(queries.publishable(video_id, require_user()))
    db.session.commit()
    return "", 204


@api.post("/videos/<int:video_id>/share/")
@api.output(ShareOut)
def share(video_id: int) -> dict[str, Any]:
    """Get the link that plays a film without an account; whoever asks again gets the same."""
    video = queries.shareable(video_id, require_user())
    sharing.share(video)
    answer = {"share_url": share_url(video)}
    db.session.commit()
    return answer


@api.delete("/videos/<int:video_id>/share/")
@api.output({}, status_code=204)
def unshare(video_id: int) -> tuple[str, int]:
    """Withdraw the link; whoever is watching through it is cut off."""
    sharing.unshare(queries.shareable(video_id, require_user()))
    db.session.commit()
    return "", 204


@api.get("/categories/")
@api.output(list[CategoryOut])  # type: ignore[arg-type]
def list_categories() -> Response:
    """List the categories of the catalogue in the curators' order, the others by name."""
    require_user()
    return jsonify(shelves.categories())


@api.put("/categories/")
@signed_in
@json_body(api, CategoryOrder)
@api.output({}, status_code=204)
def arrange_categories(body: CategoryOrder) -> tuple[str, int]:
    """Set the order of the categories."""
    if not policy.may_fill_catalogue(require_user()):
        raise Forbidden("Only curators order the catalogue.")
    categories.arrange(body.names)
    db.session.commit()
    return "", 204


@api.get("/series/")
@api.input(ListQuery, location="query", arg_name="page")
@api.output(list[SeriesOut])  # type: ignore[arg-type]
def list_series(page: ListQuery) -> Response:
    """List the series with an episode that one may watch, by title."""
    user = require_user()
    found, before = series.listed(user, limit=page.limit, before=page.before)
    return with_next(jsonify(describe_series(found, user)), before)


@api.get("/series/<int:series_id>/")
@api.output(SeriesWithEpisodes)
def get_series(series_id: int) -> dict[str, Any]:
    """Get a series with the episodes that one may watch, in order."""
    user = require_user()
    episodes = series.episodes(series_id, user)
    described = describe_all(episodes, user)
    seasons = groupby(described, key=lambda film: film["series"]["season"])
    return {
        **{name: described[0]["series"][name] for name in ("id", "title")},
        "seasons": [{"season": number, "episodes": list(films)} for number, films in seasons],
    }
