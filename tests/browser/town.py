"""A site with a whole catalogue: films as people have them, a series, an evening that was begun."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from app.database import db
from app.videos import categories, series
from app.videos.models import Status, Video
from app.videos.names import new_film
from tests.browser.conftest import Site
from tests.browser.people import ADMIN, DEMO, add_broken_film, add_people, fill_account, sign_in
from tests.films import made_film

WITH_REAL_FILMS = bool(
    os.environ.get("VIDEOFLIX_TEST_MEDIA") and os.environ.get("VIDEOFLIX_SCREENSHOTS")
)
"""Pictures that somebody will look at show real films; checks are content with the demo film."""

REAL = {
    "bee_720p_faststart.mp4": "Bee",
    "butterfly_720p_faststart.mp4": "Butterfly",
    "ducks_iphone_720p.mp4": "Ducks",
    "flower_540p_faststart.mp4": "Flower",
    "roadtrip_vp9_10bit.webm": "Road trip",
    "roof_hdr10_hevc_1080p.mp4": "Roofs",
    "traffic_768x432_12fps_30s.mp4": "Traffic",
    "tears_of_steel_vp8_70s.webm": "Tears of Steel",
}
BUNNY, BARS = "Big Buck Bunny", "Bars"

# What is shown: title, the film whose files it shows, category, year, length in minutes, story.
FILMS: tuple[tuple[str, str, str, int, float, str], ...] = (
    ("The Last Projectionist", "Traffic", "Drama", 2018, 112, "A cinema closes. Its projectionist "
     "does not, and takes the town along for one more night."),
    ("Rooms With a View of Rain", "Roofs", "Drama", 2021, 97, "Six flats, one courtyard, and a "
     "summer in which it does not stop raining."),
    ("Five in the Afternoon", "Traffic", "Drama", 2014, 88, "Everybody is on the way home."),
    ("A Year in the Meadow", "Flower", "Nature", 2020, 52, "Twelve months, one square metre."),
    ("Sunday at the Pond", "Ducks", "Nature", 2022, 48, "Nothing happens, beautifully."),
    ("Wings", "Butterfly", "Nature", 2019, 61, "How a thing that weighs half a gram crosses a "
     "continent."),
    ("The Beekeeper of Hill Street, and Other Stories From a Very Small Garden", "Bee", "Nature",
     2023, 74, "Forty thousand neighbours, and one of them has a key."),
    ("South on the One", "Road trip", "Travel", 2016, 83, "San Francisco to Los Angeles, the slow "
     "way, with the windows down."),
    ("Above the Old Town", "Roofs", "Travel", 2017, 45, "A city seen by those who mend its roofs."),
    ("Forty Years Later", "Tears of Steel", "Science fiction", 2012, 104, "She left him for a "
     "robot. Now he has to save the world, and to say that he is sorry."),
    ("The Machine in Canal Street", "Tears of Steel", "Science fiction", 2015, 118, "Amsterdam, "
     "after the end. Somebody keeps the lights on."),
    ("Three Small Bullies", BUNNY, "Animation", 2009, 64, "The other side of the story."),
)  # fmt: skip

SERIES = "Garden Diaries"
EPISODES: tuple[tuple[int, int, str, str, float, str], ...] = (
    (1, 1, "The First Warm Day", "Flower", 24, "Everything wakes up, some of it too early."),
    (1, 2, "Visitors", "Butterfly", 25, "Painted ladies come by, and stay for lunch."),
    (1, 3, "The Queen Moves Out", "Bee", 26, "Half of the hive has had enough."),
    (2, 1, "After the Frost", "Flower", 24, "What is left of the roses."),
    (2, 2, "Next Door", "Ducks", 27, "The pond has new owners."),
)

SHOWN = (
    "size", "status", "playable", "width", "height",
    "has_images", "has_storyboard", "images_version", "placeholder",
)  # fmt: skip
"""What a film that shows another one's files says as that one does."""


@dataclass(frozen=True)
class Town:
    """The filled site, who may enter it, and some of its pages. `film` is an episode that plays."""

    site: Site
    cookies: dict[str, Path]
    confirm: str
    film: int
    series: int
    shared: str


def fill(chromium: Browser, site: Site, folder: Path) -> Town:
    """People, films and what one of them remembers, in a site that has the demo film."""
    import_films(site)
    confirm = add_people(site)
    add_broken_film(site, folder)
    site.wait_for_films(have_pictures)
    fill_catalogue(site)
    cookies = {email: sign_in(chromium, site, email, folder) for email in (ADMIN, DEMO)}
    fill_account(chromium, site, sign_in(chromium, site, DEMO, folder))
    context = chromium.new_context(storage_state=cookies[DEMO])
    try:
        listed = f"{site.url}/api/global-videos/?limit=200"
        films = {film["title"]: film for film in context.request.get(listed).json()}
        remember(context, site, films)
        share = context.request.post(f"{site.url}/api/videos/{films[BUNNY]['id']}/share/")
        film = films[EPISODES[1][2]]
        shared = share.json()["share_url"].removeprefix(site.url)
        return Town(site, cookies, confirm, film["id"], film["series"]["id"], shared)
    finally:
        context.close()


def import_films(site: Site) -> None:
    """The films whose files are shown: real ones, or one of moving bars."""
    found: Iterable[tuple[Path, str]] = [(made_film(6), BARS)]
    if WITH_REAL_FILMS:
        real = Path(os.environ["VIDEOFLIX_TEST_MEDIA"]) / "real"
        found = [(real / name, title) for name, title in REAL.items()]
    for path, title in found:
        site.flask("videos", "import", str(path), "--owner", DEMO, "--title", title)


def have_pictures(films: Sequence[Video]) -> bool:
    """Whether all that can be converted is, with its pictures."""
    good = [film for film in films if film.status != Status.FAILED]
    return all(film.status == Status.READY and film.has_storyboard for film in good)


def fill_catalogue(site: Site) -> None:
    """The catalogue, of films that show the files of those that were imported."""
    with site.opened():
        known = {video.title: video for video in db.session.scalars(db.select(Video))}
        for title, shows, category, year, minutes, story in FILMS:
            add(site, known.get(shows, known[BUNNY]), title, category, minutes, story, year=year)
        played, *others = EPISODES
        first = known[played[3] if WITH_REAL_FILMS else BARS]  # a film that plays
        first.title, first.description, first.category = played[2], played[5], "Nature"
        first.is_global = True
        series.assign(first, SERIES, played[0], played[1])
        for season, number, title, shows, minutes, story in others:
            part = add(site, known.get(shows, known[BUNNY]), title, "Nature", minutes, story)
            series.assign(part, SERIES, season, number)
        bunny = known[BUNNY]
        bunny.category, bunny.year, bunny.place = "Animation", 2008, 1
        categories.arrange(["Drama", "Nature", "Science fiction"])
        db.session.commit()


def add(
    site: Site, shows: Video, title: str, category: str, minutes: float, story: str, **said: Any
) -> Video:
    """A film of the catalogue that shows the files of another."""
    films, name = site.data / "media" / "films", new_film()
    (films / name).symlink_to(films / shows.film)
    facts = {name: getattr(shows, name) for name in SHOWN} | said
    facts |= {"title": title, "category": category, "description": story}
    video = Video(
        film=name, owner_id=shows.owner_id, duration=minutes * 60, is_global=True, **facts
    )
    db.session.add(video)
    db.session.flush()
    return video


def remember(context: Any, site: Site, films: dict[str, Any]) -> None:
    """An evening that was begun: films half seen, one finished, some for later."""
    for title, share in (
        ("The Last Projectionist", 0.62), ("South on the One", 0.2), ("Visitors", 0.45),
        ("The First Warm Day", 1),
    ):  # fmt: skip
        film = films[title]
        address = f"{site.url}/api/videos/{film['id']}/progress/"
        answer = context.request.put(address, data={"position": film["duration"] * share})
        assert answer.ok, answer.text()
    for title in ("Forty Years Later", "Sunday at the Pond", "Rooms With a View of Rain"):
        assert context.request.put(f"{site.url}/api/my-list/{films[title]['id']}/").ok
