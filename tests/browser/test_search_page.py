"""Searching in a real browser: as one types, by keyboard alone, and without any script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from apiflask import APIFlask
from playwright.sync_api import Browser, Page, Route, expect

from app.database import db
from app.videos.models import Status, Video
from app.videos.names import new_film
from tests.browser.test_axe import violations
from tests.conftest import PASSWORD
from tests.web import Web, serve

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

FILMS = {
    "Le Fabuleux Destin d\u2019Amélie Poulain": "Romance",
    "Moonrise": "Romance",
    "Moonlight over a long river, and other stories that take their time": "Drama",
    "Sunrise": "Drama",
}


@pytest.fixture
def with_tables() -> bool:
    """Here no `make run` makes them."""
    return True


@pytest.fixture
def web(app: APIFlask, member: int, tmp_path: Path) -> Iterator[Web]:
    """The site with a few films of the catalogue; their files are of no interest."""
    with app.app_context():
        for title, category in FILMS.items():
            facts = {"status": Status.READY, "playable": True, "is_global": True, "size": 1}
            db.session.add(
                Video(owner_id=member, film=new_film(), title=title, category=category, **facts)
            )
        db.session.commit()
    with serve(app, tmp_path / "web.log") as web:
        yield web


def enter(page: Page, web: Web) -> str:
    """Sign in; the site's address."""
    url = f"http://127.0.0.1:{web.port}"
    page.goto(f"{url}/login")
    page.get_by_label("Email").fill("mara@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/browse")
    return url


def test_films_are_shown_as_one_types(page: Page, web: Web) -> None:
    enter(page, web)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Search").click()
    field, said = page.get_by_label("Find a film"), page.get_by_role("status")
    results = page.locator("[data-search-results]")
    expect(field).to_be_focused()
    expect(results.get_by_role("link", name="Romance")).to_be_visible()

    page.keyboard.type("AMÉL")
    expect(results.get_by_role("article")).to_have_count(1)
    expect(said).to_have_text("1 film for “AMÉL”")
    expect(field).to_be_focused()
    assert page.url.endswith("/search?q=AM%C3%89L")
    assert page.title() == "“AMÉL” · Videoflix"

    field.fill("monorise")
    expect(said).to_have_text("No film matches “monorise”. Showing 1 film for “moonrise”.")
    field.fill("zzzz")
    expect(results.get_by_role("heading", name="No film matches “zzzz”")).to_be_visible()

    field.fill("moon")
    expect(results.get_by_role("article")).to_have_count(2)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Clear the search")).to_be_focused()
    page.keyboard.press("Tab")
    expect(results.locator(".card-link").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/videos/3")
    page.go_back()
    expect(page.get_by_label("Find a film")).to_have_value("moon")
    expect(results.get_by_role("article")).to_have_count(2)

    field.focus()
    page.keyboard.press("Escape")
    expect(field).to_have_value("")
    expect(field).to_be_focused()
    expect(results.get_by_role("heading", name="What would you like to see?")).to_be_visible()
    assert page.url.endswith("/search")
    results.get_by_role("link", name="Drama").click()
    expect(page.get_by_role("heading", name="Drama")).to_be_visible()


def test_what_was_typed_before_the_script_came_is_looked_for(page: Page, web: Web) -> None:
    url = enter(page, web)
    held: list[Route] = []
    page.route(re.compile(r"js/search\."), lambda route: held.append(route))
    page.goto(f"{url}/search?q=sun", wait_until="commit")
    page.get_by_label("Find a film").fill("moon")
    while not held:
        page.wait_for_timeout(50)
    page.wait_for_timeout(400)
    assert len(held) == 1
    held[0].continue_()
    expect(page.get_by_role("status")).to_have_text("2 films for “moon”")
    assert page.url.endswith("?q=moon")


def test_the_newest_answer_wins_and_a_lost_one_is_said(page: Page, web: Web) -> None:
    url = enter(page, web)
    page.goto(f"{url}/search")
    field, said = page.get_by_label("Find a film"), page.get_by_role("status")
    results = page.locator("[data-search-results]")
    held: list[Route] = []
    page.route(re.compile("q=moon&"), lambda route: held.append(route))
    field.fill("moon")
    while not held:
        page.wait_for_timeout(50)
    page.wait_for_timeout(400)
    assert len(held) == 1
    field.fill("sun")
    expect(results.get_by_role("article")).to_have_count(1)
    held[0].continue_()  # an answer that comes too late
    page.wait_for_timeout(400)
    expect(said).to_have_text("1 film for “sun”")
    assert page.url.endswith("?q=sun")

    page.route(re.compile("q=amelie&"), lambda route: route.abort())
    field.fill("amelie")
    expect(said).to_have_text("We could not search just now. Press Enter to try again.")
    expect(results.get_by_role("article")).to_have_count(1)  # what was there stays
    page.unroute_all()
    page.keyboard.press("Enter")
    expect(said).to_have_text("1 film for “amelie”")


def test_the_form_needs_no_script_and_breaks_no_rule(
    page: Page, chromium: Browser, web: Web, tmp_path: Path
) -> None:
    url = enter(page, web)
    cookies = tmp_path / "cookies.json"
    page.context.storage_state(path=cookies)
    plain = chromium.new_context(java_script_enabled=False, storage_state=cookies)
    bare = plain.new_page()
    bare.goto(f"{url}/search")
    bare.get_by_label("Find a film").fill("amelie")
    bare.get_by_role("search").get_by_role("button", name="Search").click()
    expect(bare.get_by_role("article")).to_have_count(1)
    assert bare.url.endswith("/search?q=amelie")
    plain.close()

    found: list[str] = []
    for width, scheme in product((1440, 320), ("dark", "light")):
        context = chromium.new_context(
            viewport={"width": width, "height": 844},
            color_scheme="dark" if scheme == "dark" else "light",
            storage_state=cookies,
            bypass_csp=True,  # axe is a script put into the page, which our policy forbids
        )
        seen = context.new_page()
        for path in ("/search", "/search?q=moon", "/search?q=monorise", "/search?q=zzzz"):
            seen.goto(f"{url}{path}")
            assert seen.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            found += [f"{path}, {width} px, {scheme}: {wrong}" for wrong in violations(seen)]
        if width == 320:
            links = seen.get_by_role("navigation", name="Main").get_by_role("link")
            assert [link.inner_text() for link in links.all()] == [
                "Browse", "Search", "My videos", "Upload",
            ]  # fmt: skip
        context.close()
    assert found == []
