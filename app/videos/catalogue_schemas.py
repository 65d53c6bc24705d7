"""What the JSON API of the catalogue takes and gives: categories, share links, series."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from app.json_body import STORABLE, JsonBody
from app.videos.models import CATEGORY_LENGTH
from app.videos.schemas import VideoOut

CategoryName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=CATEGORY_LENGTH),
    STORABLE,
]


class CategoryOut(BaseModel):
    """A category of the catalogue."""

    name: str
    count: int = Field(description="Films in it that can be watched.")


class CategoryOrder(JsonBody):
    """Names of categories, the one to come first first; those left out follow by name."""

    names: list[CategoryName] = Field(max_length=500, examples=[["Family", "Drama"]])


class ShareOut(BaseModel):
    """The link that plays a film without an account."""

    share_url: str


class SeriesOut(BaseModel):
    """A series with an episode that one may watch."""

    id: int
    title: str
    seasons: int
    episodes: int
    thumbnail_url: str | None = Field(description="The picture of an episode.")


class SeasonOut(BaseModel):
    """A season; null is for episodes whose season is not known."""

    season: int | None
    episodes: list[VideoOut]


class SeriesWithEpisodes(BaseModel):
    """A series with the episodes that one may watch, in order."""

    id: int
    title: str
    seasons: list[SeasonOut]
