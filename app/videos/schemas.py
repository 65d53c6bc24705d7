"""What the JSON API of films takes and gives, typed; the OpenAPI document is made from it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from app.json_body import STORABLE, JsonBody, Moment
from app.videos import cursors
from app.videos.models import CATEGORY_LENGTH, DESCRIPTION_LENGTH, LABEL_LENGTH, TITLE_LENGTH
from app.videos.search.text import QUERY_LENGTH

FIRST_YEAR = 1870
"""Before the first moving pictures."""
LAST_YEAR = 2100

Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TITLE_LENGTH), STORABLE
]
Description = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=DESCRIPTION_LENGTH), STORABLE
]
Category = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=CATEGORY_LENGTH), STORABLE
]

SeriesTitle = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=TITLE_LENGTH), STORABLE
]
Year = Annotated[int, Field(strict=True, ge=FIRST_YEAR, le=LAST_YEAR)]
Number = Annotated[int, Field(strict=True, ge=0, le=9999)]
Place = Annotated[int, Field(strict=True, ge=1, le=9999)]
Position = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class Owner(BaseModel):
    """Who uploaded a film."""

    id: int
    username: str


class Problem(BaseModel):
    """Why a film failed, for its owner."""

    code: str
    stage: str
    message: str
    hint: str


class VideoRow(BaseModel):
    """A picture rendition. `bitrate` is the average in bits/s; null until it is full."""

    height: int
    codec: str
    bitrate: int | None
    bytes: int | None
    progress: float = Field(description="Filled share, 0…1.")


class AudioRow(BaseModel):
    """A sound track. Its loudness (EBU R128) is null for silence, and until it is full."""

    language: str | None
    label: str | None
    default: bool
    codec: str
    loudness: float | None = Field(description="Integrated, in LUFS.")
    loudness_range: float | None = Field(description="In LU.")
    true_peak: float | None = Field(description="In dBTP.")


class SubtitleRow(BaseModel):
    """A text track."""

    id: int
    language: str
    label: str
    default: bool
    url: str = Field(description="WebVTT.")


class QueuePlace(BaseModel):
    """Where a film stands among those that wait for their turn."""

    place: int = Field(description="1 is next.")
    films: int = Field(description="How many wait.")


class ImageOut(BaseModel):
    """A picture file, with its size in pixels."""

    width: int
    height: int
    format: str = Field(description="jpeg, webp or avif.")
    url: str


class SeriesOf(BaseModel):
    """Which episode of which series a film is."""

    id: int
    title: str
    season: int | None
    episode: int | None


class VideoOut(BaseModel):
    """A film."""

    id: int
    title: str
    description: str
    category: str
    year: int | None = Field(description="When it came out.")
    series: SeriesOf | None
    is_global: bool
    place: int | None = Field(description="1 comes first in its row of the catalogue.")
    owner: Owner
    status: str = Field(description="processing, ready, failed or cancelled.")
    playable: bool = Field(description="True as soon as it can be watched, long before ready.")
    progress: float = Field(description="Filled share of the grid, 0…1.")
    eta: float | None = Field(
        description="Seconds until it is ready, from the speed this site was measured at."
    )
    queue: QueuePlace | None = Field(
        description="Its place while nobody has taken it up; null once it is its turn."
    )
    uploaded: float | None = Field(
        description="0…1 while the rest of its file still comes in; it may be playable before."
    )
    converting_again: float | None = Field(
        description="0…1 while new renditions are made; those that are there are shown meanwhile."
    )
    error: Problem | None
    created_at: str
    duration: float | None
    width: int | None
    height: int | None
    size: int = Field(description="Bytes of the original.")
    duplicate_of: int | None = Field(
        description="One's own older film with the same bytes, known some time after the upload."
    )
    share_url: str | None = Field(
        description="The link that plays it without an account; shown to its owner alone."
    )
    position: float = Field(description="Seconds at which one goes on with it; 0: the beginning.")
    watched: bool = Field(description="Whether one has seen it to its end.")
    in_my_list: bool
    thumbnail_url: str | None
    poster_url: str | None = Field(description="The large picture, up to 1280 pixels wide.")
    images: list[ImageOut] = Field(
        description="The same picture in all its sizes and formats, for a `srcset`."
    )
    placeholder: str | None = Field(
        description="A tiny blurred picture as a `data:` address, to be shown until the real one."
    )
    preview_url: str | None
    storyboard_url: str | None
    renditions: list[VideoRow]
    audio: list[AudioRow]
    subtitles: list[SubtitleRow]


class AttemptsOut(BaseModel):
    """A task of a film that did not go well at once, for administrators."""

    task: int
    kind: str = Field(description="plan, chunk, row, poster, text or story: the stage.")
    chunk: int | None = Field(description="Which chunk, counted from 0; null for other kinds.")
    attempts: int
    state: str = Field(description="waiting, done or failed.")
    worker: str | None = Field(description="Who had it last: host and process.")
    log: str | None = Field(description="The last lines of the last attempt that failed.")


class LegacyVideoOut(BaseModel):
    """A film as existing Videoflix front ends know it."""

    id: int
    created_at: str
    title: str
    description: str
    thumbnail_url: str | None
    category: str


class GridRow(BaseModel):
    """A row of the grid; cells are 0 empty, 1 being filled, 2 filled; starts are in seconds."""

    name: str
    kind: str
    cells: list[int]
    starts: list[float]


class GridOut(BaseModel):
    """The grid as a small picture."""

    status: str
    playable: bool
    progress: float
    rows: list[GridRow]


class NextOut(BaseModel):
    """The episode that follows a film."""

    id: int
    title: str
    season: int | None
    episode: int | None
    duration: float | None
    thumbnail_url: str | None


class PlaybackOut(BaseModel):
    """How to play a film."""

    title: str
    hls_url: str
    poster_url: str | None
    storyboard_url: str | None
    duration: float | None
    position: float
    audio: list[AudioRow]
    subtitles: list[SubtitleRow]
    chapters_url: str | None = Field(description="WebVTT with a cue for each chapter.")
    expires_at: str
    next: NextOut | None = Field(description="Where a series goes on.")


class UploadChange(JsonBody):
    """What can be said of a film that still comes in; fields that are left out stay."""

    title: Title | None = None
    description: Description | None = None
    category: Category | None = None


class VideoChange(UploadChange):
    """What an owner may change; fields that are left out stay.

    A year or a place that is null is forgotten, and so are season and episode; a film whose series
    is null or empty is an episode no more. Curators alone give places.
    """

    year: Year | None = Field(default=None, examples=[1994])
    series: SeriesTitle | None = Field(default=None, description="The title of its series.")
    season: Number | None = Field(default=None, examples=[1])
    episode: Number | None = Field(default=None, examples=[2])
    place: Place | None = Field(
        default=None, description="1 comes first in its row of the catalogue."
    )


class ProgressIn(JsonBody):
    """How far one is in a film, and when that was true; without `at` it is now."""

    position: Position = Field(description="Seconds from the beginning.", examples=[754.2])
    at: Moment | None = Field(default=None, examples=["2026-05-01T20:15:00Z"])
    stalls: int = Field(
        default=0,
        strict=True,
        ge=0,
        le=1000,
        description="Times playback stood still since the last report.",
    )


class ThumbnailTime(JsonBody):
    """The moment of the film (seconds) whose picture is its poster."""

    time: Position


class PosterForm(BaseModel):
    """The multipart form of a poster, for the API's description."""

    image: str = Field(json_schema_extra={"format": "binary"}, description="JPEG, PNG or WebP.")


class SubtitleForm(BaseModel):
    """The multipart form of captions, for the API's description."""

    file: str = Field(json_schema_extra={"format": "binary"})
    language: str = Field(examples=["en"])
    label: str | None = Field(default=None, max_length=LABEL_LENGTH, examples=["English"])


class UploadOut(BaseModel):
    """An upload that comes in pieces."""

    id: str
    url: str = Field(description="Where tus goes on with it.")
    filename: str
    title: str
    description: str
    category: str
    is_global: bool
    length: int = Field(description="Bytes that the film has.")
    offset: int = Field(description="Bytes that are here.")
    created_at: str
    expires_at: str = Field(description="It is forgotten then, unless more comes.")
    finished_at: str | None
    video_id: int | None = Field(description="The film that it has become.")


class VideoDetails(BaseModel):
    """What an upload says of its film."""

    title: Title
    description: Description = ""
    category: Category = ""
    year: Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR)] | None = None
    series: SeriesTitle = ""
    season: Annotated[int, Field(ge=0, le=9999)] | None = None
    episode: Annotated[int, Field(ge=0, le=9999)] | None = None


class ListQuery(BaseModel):
    """Where a list goes on. `before` comes from the `Link` of the page before."""

    limit: int = Field(default=50, ge=1, le=200)
    before: str | None = Field(default=None, max_length=cursors.LENGTH)


class SearchQuery(ListQuery):
    """Where a list goes on, and what is looked for in it."""

    q: str | None = Field(
        default=None,
        max_length=QUERY_LENGTH,
        description="Words of titles, series, years and stories. The last may be unfinished; a "
        "typo is forgiven. Films with all of them in their title come first, each kind newest "
        "first.",
        examples=["amelie"],
    )


class PageQuery(SearchQuery):
    """Where a list of the catalogue goes on, and of what."""

    category: str | None = Field(default=None, max_length=CATEGORY_LENGTH)


class UploadForm(BaseModel):
    """The multipart form of an upload, for the API's description; it is read as a stream."""

    file: str = Field(json_schema_extra={"format": "binary"})
    title: str | None = Field(default=None, max_length=TITLE_LENGTH)
    description: str | None = Field(default=None, max_length=DESCRIPTION_LENGTH)
    category: str | None = Field(default=None, max_length=CATEGORY_LENGTH)
    year: int | None = Field(default=None, ge=FIRST_YEAR, le=LAST_YEAR)
    series: str | None = Field(default=None, max_length=TITLE_LENGTH)
    season: int | None = Field(default=None, ge=0, le=9999)
    episode: int | None = Field(default=None, ge=0, le=9999)
