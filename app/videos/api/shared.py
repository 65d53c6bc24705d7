"""`/api/shared/KEY/`: what a player needs of a film that a link opens; no account is asked for."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from app.limits import wrong_links
from app.videos import sharing
from app.videos.presentation import describe_grid, describe_playback
from app.videos.schemas import GridOut, PlaybackOut

api = APIBlueprint("shared_api", __name__, url_prefix="/api/shared", tag="Watching")


@api.get("/<key>/")
@wrong_links
@api.output(PlaybackOut)
@api.doc(responses=[404, 429])
def get_playback(key: str) -> dict[str, Any]:
    """Get the addresses that play a shared film; the key is the last part of its share_url."""
    return describe_playback(sharing.find(key), None)


@api.get("/<key>/grid/")
@wrong_links
@api.output(GridOut)
@api.doc(responses=[404, 429])
def get_grid(key: str) -> dict[str, Any]:
    """Get the grid of a shared film that may still be converted."""
    return describe_grid(sharing.find(key))
