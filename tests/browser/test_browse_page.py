"""The pages of the catalogue in a real browser: rows, hero, one's list, what one goes on with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.database import db
from app.videos import series
from app.videos.models import Status, Video
from app.videos.names import new_film
from app.videos.shelves import FILLED_ROWS
from tests.browser.conftest import Site, running
from tests.browser.test_axe import violations
from tests.conftest import PASSWORD
from tests.films import made_film

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

EMAIL = "mara@example.org"
CATEGORIES = [f"Collection {number}" for number in range(1, 9)]
IN_A_ROW = 9
COPIED = (
    "owner_id", "size", "status", "playable", "width", "height",
    "has_images", "has_storyboard", "images_version", "placeholder",
)  # fmt: skip
SHOTS = os.environ.get("VIDEOFLIX_SCREENSHOTS")

SHIFTS = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => done(sum), 300);
})"""

Visitor = Callable[..., Page]


@dataclass(frozen=True)
class Catalogue:
    """A running site with a whole catalogue, and the cookies of a member."""

    site: Site
    cookies: Any
    series_id: int


@pytest.fixture(scope="module")
def catalogue(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """One site for all tests of this file. One film is converted; all others are copies of it."""
    folder = tmp_path_factory.mktemp("catalogue")
    with running("sqlite", folder) as site:
        words = ["users", "create", EMAIL, "--verified", "--password-stdin"]
        site.flask(*words, typed=f"{PASSWORD}\n")
        film = str(made_film(9))
        site.flask("videos", "import", film, "--global", "--title", "Bars", "--owner", EMAIL)
        site.wait_for_films(
            lambda films: films[0].has_storyboard and films[0].status == Status.READY
        )
        series_id = fill(site)
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{site.url}/login")
        page.get_by_label("Email").fill(EMAIL)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/browse")
        cookies = context.storage_state()
        context.close()
        yield Catalogue(site, cookies, series_id)


def fill(site: Site) -> int:
    """Rows of films that show the files of the one; the id of the series among them."""
    with site.opened():
        bars = db.session.scalars(db.select(Video)).one()
        facts = {name: getattr(bars, name) for name in COPIED}
        films = site.data / "media" / "films"

        def add(title: str, category: str, duration: float = 2400.0) -> Video:
            name = new_film()
            (films / name).symlink_to(films / bars.film)
            said = {"film": name, "title": title, "category": category, "duration": duration}
            video = Video(**facts, **said, is_global=True, description="A story about bars.")
            db.session.add(video)
            db.session.flush()
            return video

        for category in CATEGORIES:
            for number in range(1, IN_A_ROW + 1):
                long = ", a title that is so long that it needs two lines" if number == 2 else ""
                add(f"{category}, film {number}{long}", category)
        for season, episode in product((1, 2), (1, 2, 3)):
            part = add(f"Part {season}.{episode}", "Drama")
            series.assign(part, "The House", season, episode)
        add("Tonight", "Drama").place = 1
        db.session.commit()
        found = db.session.scalar(db.select(Video.series_id).where(Video.title == "Part 1.1"))
    assert found is not None
    return found


@pytest.fixture
def visit(chromium: Browser, catalogue: Catalogue) -> Iterator[Visitor]:
    """Opens a path in a browser profile of its own; any error of the page fails the test."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_page(path: str, **options: Any) -> Page:
        wanted = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **options}
        context = chromium.new_context(storage_state=catalogue.cookies, **wanted)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{catalogue.site.url}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def row(page: Page, heading: str) -> Any:
    return page.locator("[data-row]").filter(
        has=page.get_by_role("heading", name=heading, exact=True)
    )


def film_id(page: Page, catalogue: Catalogue, title: str) -> int:
    films = page.request.get(f"{catalogue.site.url}/api/global-videos/?limit=200").json()
    return int(next(film["id"] for film in films if film["title"] == title))


def keep(page: Page, name: str) -> None:
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def test_rows_fill_as_they_come_near_and_nothing_moves(visit: Visitor) -> None:
    page = visit("/browse")
    waiting = page.locator(".row-waiting")
    expect(page.locator("[data-row-fill]")).to_have_count(len(CATEGORIES) + 1 - FILLED_ROWS)
    page.wait_for_load_state("networkidle")
    assert waiting.count() > 2  # those far down are left alone
    height = page.evaluate("document.documentElement.scrollHeight")
    for place in range(0, height, 500):
        page.evaluate("top => window.scrollTo(0, top)", place)
        page.wait_for_timeout(50)
    expect(waiting).to_have_count(0)
    expect(row(page, CATEGORIES[-1]).locator(".card")).to_have_count(IN_A_ROW)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollHeight") == height
    assert page.evaluate(SHIFTS) < 0.02
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_a_row_that_did_not_come_can_be_asked_for_again(visit: Visitor) -> None:
    page = visit("/my-videos")
    page.route("**/browse/row*", lambda route: route.abort())
    page.goto(page.url.replace("/my-videos", "/browse"))
    last = row(page, CATEGORIES[-1])
    last.scroll_into_view_if_needed()
    expect(last.get_by_role("alert")).to_contain_text("did not come")
    page.unroute("**/browse/row*")
    last.get_by_role("button", name="Try again").click()
    expect(last.locator(".card")).to_have_count(IN_A_ROW)
    expect(last.get_by_role("alert")).to_have_count(0)


def test_without_a_script_headings_lead_to_the_films(visit: Visitor) -> None:
    page = visit("/browse", java_script_enabled=False)
    last = row(page, CATEGORIES[-1])
    expect(last.locator(".row-frame")).to_be_hidden()
    last.get_by_role("link", name=CATEGORIES[-1]).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(CATEGORIES[-1])
    expect(page.locator(".card")).to_have_count(IN_A_ROW)


def test_the_hero_moves_once_the_pointer_rests_and_can_be_paused(visit: Visitor) -> None:
    page = visit("/browse")
    hero = page.get_by_role("region", name="Tonight: Tonight")
    picture = hero.locator("picture img")
    expect(picture).to_have_attribute("fetchpriority", "high")
    assert picture.get_attribute("loading") is None
    moving = hero.locator("video[data-moving]")
    expect(moving).to_have_count(1)
    expect(moving).to_have_js_property("paused", False)
    expect(moving).to_have_js_property("muted", True)
    pause = hero.get_by_role("button", name="Pause the preview")
    pause.click()
    expect(moving).to_have_js_property("paused", True)
    hero.get_by_role("button", name="Play the preview").press("Enter")
    expect(moving).to_have_js_property("paused", False)
    page.evaluate("window.scrollTo(0, 3000)")
    expect(moving).to_have_js_property("paused", True)
    assert page.evaluate(SHIFTS) < 0.02
    keep(page, "browse-hero")


@pytest.mark.parametrize("saves", ["motion", "data"])
def test_nothing_moves_for_those_who_asked_for_that(
    visit: Visitor, catalogue: Catalogue, saves: str
) -> None:
    options = {"reduced_motion": "reduce"} if saves == "motion" else {}
    page = visit("/my-videos", **options)
    if saves == "data":
        page.add_init_script(
            "Object.defineProperty(navigator, 'connection', { value: { saveData: true } })"
        )
    page.goto(f"{catalogue.site.url}/browse")
    row(page, "New").locator(".card").nth(1).hover()
    page.wait_for_timeout(2500)
    expect(page.locator("[data-moving]")).to_have_count(0)
    expect(page.locator("[data-hero-pause]")).to_be_hidden()


def test_cards_are_reached_by_arrow_keys(visit: Visitor) -> None:
    page = visit("/browse")
    links = row(page, "New").locator(".card-link")
    links.first.focus()
    for key, number in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        expect(links.nth(number)).to_be_focused()
    page.keyboard.press("End")
    expect(links.last).to_be_focused()
    page.keyboard.press("Home")
    expect(links.first).to_be_focused()
    for heading in (*CATEGORIES, "Drama"):  # those that wait for their films, too
        page.keyboard.press("ArrowDown")
        expect(row(page, heading).locator(".card-link:focus")).to_have_count(1)
    page.keyboard.press("ArrowUp")
    expect(row(page, CATEGORIES[-1]).locator(".card-link:focus")).to_have_count(1)
    shown = page.locator(":focus")
    name = shown.inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**/videos/*")
    assert page.get_by_role("heading", level=1).inner_text() in name


def test_my_list_is_one_press_away(visit: Visitor, catalogue: Catalogue) -> None:
    page = visit("/browse")
    title = f"{CATEGORIES[0]}, film 1"
    button = row(page, CATEGORIES[0]).get_by_role("button", name=f"My list: {title}", exact=True)
    expect(button).to_have_attribute("aria-pressed", "false")
    with page.expect_response(lambda answer: "/api/my-list/" in answer.url) as answered:
        button.press("Enter")
    assert answered.value.status == 204
    expect(button).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(row(page, "My list").locator(".card-title")).to_have_text([title])
    page.route("**/api/my-list/**", lambda route: route.abort())
    mine = row(page, "My list").get_by_role("button", name=f"My list: {title}", exact=True)
    mine.click()
    expect(page.get_by_text("That did not work. Please try again.")).to_be_visible()
    expect(mine).to_have_attribute("aria-pressed", "true")
    page.unroute("**/api/my-list/**")
    with page.expect_response(lambda answer: "/api/my-list/" in answer.url):
        mine.click()
    expect(button).to_have_attribute("aria-pressed", "false")  # in its other row, too
    page.reload()
    expect(page.get_by_role("heading", name="My list", exact=True)).to_have_count(0)


def test_what_was_removed_comes_back(visit: Visitor, catalogue: Catalogue) -> None:
    page = visit("/browse")
    title = f"{CATEGORIES[1]}, film 3"
    address = f"{catalogue.site.url}/api/videos/{film_id(page, catalogue, title)}"
    assert page.request.put(f"{address}/progress/", data={"position": 1680}).ok
    page.reload()
    going = row(page, "Continue watching")
    expect(going.locator(".card-note")).to_have_text(["12 min left"])
    going.get_by_role("button", name=f"Remove {title}").click()
    expect(going.get_by_role("status")).to_have_text("Removed.")
    undo = going.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    assert page.request.get(f"{address}/").json()["position"] == 0
    keep(page, "browse-removed")
    page.keyboard.press("Enter")
    expect(going.locator(".card-link")).to_be_focused()
    assert page.request.get(f"{address}/").json()["position"] == 1680
    going.get_by_role("button", name=f"Remove {title}").click()
    expect(undo).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Continue watching")).to_have_count(0)


def test_a_film_page_shares(visit: Visitor, catalogue: Catalogue) -> None:
    page = visit("/browse")
    film = film_id(page, catalogue, "Tonight")
    page.goto(f"{catalogue.site.url}/videos/{film}")
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Make a link").click()
    page.get_by_role("button", name="Share").click()
    link = page.locator("#share [data-copy-text]").inner_text()
    assert "/s/" in link
    keep(page, "film-share")
    page.get_by_role("button", name="Withdraw the link").click()
    expect(page.get_by_text("The link no longer works.")).to_be_visible()
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("button", name="Make a link")).to_be_visible()


def test_axe_finds_nothing(visit: Visitor, catalogue: Catalogue) -> None:
    found: list[str] = []
    for scheme, width in (("dark", 1280), ("light", 390)):
        options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
        page = visit("/browse", bypass_csp=True, reduced_motion="reduce", **options)
        part = film_id(page, catalogue, "Part 1.2")
        address = f"{catalogue.site.url}/api/videos/{part}"
        assert page.request.put(f"{address}/progress/", data={"position": 600}).ok
        assert page.request.put(f"{catalogue.site.url}/api/my-list/{part}/").ok
        paths = ("/browse", "/browse/category/Drama", f"/series/{catalogue.series_id}")
        for path in (*paths, f"/videos/{part}"):
            page.goto(f"{catalogue.site.url}{path}")
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            keep(page, f"axe{path.replace('/', '-')}-{width}-{scheme}")
            found += [f"{path}, {width} px, {scheme}: {wrong}" for wrong in violations(page)]
    assert found == [], "\n".join(["", *found])
