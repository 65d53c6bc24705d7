"""The rows of /browse as one person sees them: what is everyone's, and what is theirs."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.auth.models import User
from app.videos import queries, shelves
from app.videos.facts import Facts, facts_of
from app.videos.models import Video
from app.videos.presentation import Described, for_viewer
from app.videos.shelves import ROW_LENGTH


@dataclass(slots=True)
class Row:
    """A row with its heading. `kind` says what it is; one of a `category` may still be empty."""

    kind: str
    title: str
    films: list[Described] = field(default_factory=list)
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Evening:
    """What /browse shows: a film on top, if there is any, and the rows."""

    hero: Described | None
    rows: list[Row]


def evening(user: User, base: str) -> Evening:
    """Everything on the page for this person; the number of statements does not grow with it.

    Their films still being prepared are not among it. `base` as in `presentation.describe_all`.
    """
    front = shelves.front()
    continued = queries.continued(user, limit=ROW_LENGTH).videos
    saved = queries.saved(user, limit=ROW_LENGTH).videos
    own = queries.private(user, limit=ROW_LENGTH)
    shared = [*front.newest, *(film for _, films in front.rows for film in films)]
    known: dict[int, Facts] = {film["id"]: film for film in shared}
    if front.hero:
        known.setdefault(front.hero["id"], front.hero)
    theirs: dict[int, Video] = {video.id: video for video in (*continued, *saved, *own)}
    missing = [video for number, video in theirs.items() if number not in known]
    known |= {film["id"]: film for film in facts_of(missing)}
    seen = {film["id"]: film for film in for_viewer(list(known.values()), user, base)}

    rows = [
        Row("continue", "Continue watching", [seen[video.id] for video in continued]),
        Row("saved", "My list", [seen[video.id] for video in saved]),
        Row("new", "New", [seen[film["id"]] for film in front.newest]),
        *(
            Row("category", name, [seen[film["id"]] for film in films], name)
            for name, films in front.rows
        ),
        Row("own", "Yours", [seen[video.id] for video in own]),
    ]
    hero = front.hero["id"] if front.hero else next((video.id for video in own), None)
    return Evening(
        None if hero is None else seen[hero],
        [row for row in rows if row.films or row.kind == "category"],
    )


def of_category(category: str, user: User, base: str) -> list[Described]:
    """The films in the row of a category, as this person sees them."""
    return for_viewer(shelves.row(category), user, base)
