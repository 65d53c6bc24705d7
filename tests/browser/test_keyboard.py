"""Accounts and films without a mouse: the keyboard does all of it, and the focus is always seen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Site
from tests.conftest import PASSWORD
from tests.films import made_film

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

EMAIL, KIM = "mara@example.org", "kim@example.org"
NEW_PASSWORD = "another horse, another battery"
LONGEST_WAY = 60
"""So many times a person presses Tab before giving up."""

IS_FOCUSED = "element => element === document.activeElement"
RING = """element => {
  const style = getComputedStyle(element);
  return [style.outlineStyle, parseFloat(style.outlineWidth), style.outlineColor];
}"""
ON_TOP = """element => {
  const place = element.getBoundingClientRect();
  const middle = [place.left + place.width / 2, place.top + place.height / 2];
  return element.contains(document.elementFromPoint(...middle));
}"""


def test_an_account_without_a_mouse(page: Page, demo_site: Site) -> None:
    site = demo_site
    page.goto(site.url)
    register(page)
    open_mailed_link(page, site, "confirm", "verify")
    press(page, page.get_by_role("button", name="Confirm my address"), "Space")
    press(page, page.get_by_role("main").get_by_role("link", name="Sign in"))
    sign_in(page, PASSWORD)

    press(page, account_menu(page))
    press(page, menu(page).get_by_role("button", name="Sign out"))
    page.wait_for_url(f"{site.url}/")

    press(page, page.get_by_role("main").get_by_role("link", name="Sign in"))
    press(page, page.get_by_role("link", name="Forgot password?"))
    write(page, page.get_by_label("Email"), EMAIL)
    press(page, page.get_by_role("button", name="Send the link"))
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    open_mailed_link(page, site, "new password", "reset-password")
    write(page, page.get_by_label("New password", exact=True), NEW_PASSWORD)
    write(page, page.get_by_label("New password again"), NEW_PASSWORD)
    press(page, page.get_by_role("button", name="Save new password"), "Space")
    expect(page.get_by_text("Your new password is set.")).to_be_visible()
    sign_in(page, NEW_PASSWORD)

    press(page, account_menu(page), "Space")
    press(page, menu(page).get_by_role("link", name="Account"))
    page.wait_for_url("**/account")
    change_name(page)
    make_token(page)


def test_films_without_a_mouse(page: Page, demo_site: Site) -> None:
    """Search, a film, one's list, the rows of the first page, and the page where one edits."""
    words = ["users", "create", KIM, "--verified", "--password-stdin"]
    demo_site.flask(*words, typed=f"{PASSWORD}\n")
    film = str(made_film())
    demo_site.flask("videos", "import", film, "--owner", KIM, "--title", "Bars of Kim")
    demo_site.wait_for_films(lambda films: films[-1].playable)
    page.goto(f"{demo_site.url}/login")
    sign_in(page, PASSWORD, KIM)

    press(page, main_menu(page).get_by_role("link", name="Search"))
    expect(page.get_by_label("Find a film")).to_be_focused()
    page.keyboard.type("big bukc bunny")
    found = page.locator("[data-search-results]").get_by_role("article")
    expect(found).to_have_count(1)
    press(page, found.locator(".card-link"))
    page.wait_for_url("**/videos/1")
    keep = page.get_by_role("button", name="My list: Big Buck Bunny").first
    press(page, keep, "Space")
    expect(keep).to_have_attribute("aria-pressed", "true")

    press(page, account_menu(page))
    press(page, menu(page).get_by_role("link", name="My list"))
    page.wait_for_url("**/my-list")
    card = page.get_by_role("article")
    expect(card.locator(".card-title")).to_have_text("Big Buck Bunny")
    with page.expect_response("**/api/my-list/1/"):
        press(page, card.get_by_role("button", name="My list: Big Buck Bunny"), "Space")
    page.reload()
    expect(page.get_by_role("heading", name="Nothing on your list")).to_be_visible()

    press(page, main_menu(page).get_by_role("link", name="Browse"))
    page.wait_for_url("**/browse")
    rows = page.locator("[data-row]")
    tab_to(page, rows.first.locator(".card-link").first)
    for place in range(1, rows.count()):
        page.keyboard.press("ArrowDown")
        expect(rows.nth(place).locator(".card-link:focus")).to_have_count(1)
        see_focus(page)
    expect(page.locator(":focus")).to_contain_text("Bars of Kim")  # the last row is one's own
    page.keyboard.press("Enter")
    page.wait_for_url("**/videos/*")

    press(page, page.get_by_role("link", name="Edit", exact=True))
    parts = page.get_by_role("navigation", name="Parts of this page")
    press(page, parts.get_by_role("link", name="Details"))
    write(page, page.get_by_label("Title", exact=True), "Bars of Kim, cut")
    press(page, page.get_by_role("button", name="Save"))
    expect(page.get_by_role("heading", name="Bars of Kim, cut", level=1)).to_be_visible()


def register(page: Page) -> None:
    press(page, page.get_by_role("main").get_by_role("link", name="Create account"))
    write(page, page.get_by_label("Email"), EMAIL)
    write(page, page.get_by_label("Password", exact=True), PASSWORD)
    press(page, page.get_by_role("button", name="Show password").first, "Space")
    expect(page.get_by_label("Password", exact=True)).to_have_value(PASSWORD)
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    write(page, page.get_by_label("Password again"), PASSWORD)
    press(page, page.get_by_role("button", name="Create account"))
    expect(page.get_by_text(EMAIL)).to_be_visible()


def sign_in(page: Page, password: str, email: str = EMAIL) -> None:
    write(page, page.get_by_label("Email"), email)
    write(page, page.get_by_label("Password", exact=True), password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/browse")


def change_name(page: Page) -> None:
    write(page, page.get_by_label("Name", exact=True), "Mara the Great")
    press(page, page.get_by_role("button", name="Save name"))
    page.wait_for_url("**/account#profile")
    profile = page.get_by_role("region", name="Mara the Great")
    expect(profile.get_by_text("Your name is changed.")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Mara the Great")


def make_token(page: Page) -> None:
    """The page's own list of parts leads to the tokens; a new one has the focus at once."""
    parts = page.get_by_role("navigation", name="Parts of this page")
    press(page, parts.get_by_role("link", name="API tokens"))
    expect(parts.locator("[aria-current]")).to_have_text("API tokens")
    tokens = page.get_by_role("region", name="API tokens")
    press(page, tokens.locator("summary", has_text="New token"), steps=2)
    write(page, page.get_by_label("What it is for"), "Living room")
    tab_to(page, page.get_by_label("It may"))
    page.keyboard.press("ArrowDown")
    press(page, page.get_by_role("button", name="Make token"), "Space")
    made = page.get_by_role("status", name="Your new API token")
    expect(made).to_be_focused()
    expect(made.get_by_role("code")).to_have_text(re.compile("^vf_"))
    see_focus(page)
    press(page, made.get_by_role("button", name="Copy"), steps=1)
    expect(tokens.get_by_role("button", name="Withdraw Living room")).to_be_visible()
    expect(tokens.get_by_text("reads and changes")).to_be_visible()


def main_menu(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Main")


def account_menu(page: Page) -> Locator:
    return menu(page).locator("summary")


def menu(page: Page) -> Locator:
    return page.get_by_role("banner").get_by_role("group")


def open_mailed_link(page: Page, site: Site, subject: str, path: str) -> None:
    link = re.search(rf"http\S+/{path}/\S+", site.mail(EMAIL, subject))
    assert link
    page.goto(link[0])


def write(page: Page, field: Locator, text: str) -> None:
    """Go to a field and type; what it held is marked by Tab, so the text takes its place."""
    tab_to(page, field)
    page.keyboard.type(text)
    expect(field).to_have_value(text)


def press(page: Page, target: Locator, key: str = "Enter", steps: int = LONGEST_WAY) -> None:
    tab_to(page, target, steps)
    page.keyboard.press(key)


def tab_to(page: Page, target: Locator, steps: int = LONGEST_WAY) -> None:
    """Press Tab until this element has the focus; each element on the way shows that it has it."""
    expect(target).to_have_count(1)
    for _ in range(steps):
        page.keyboard.press("Tab")
        see_focus(page)
        if target.evaluate(IS_FOCUSED):
            return
    raise AssertionError(f"{steps} times Tab, and no focus on {target}")


def see_focus(page: Page) -> None:
    """What has the focus has a ring and is not covered; at the end of the page nothing has it."""
    focused = page.locator(":focus")
    if not focused.count():
        return
    style, width, colour = focused.evaluate(RING)
    what = focused.evaluate("element => element.outerHTML.slice(0, 200)")
    assert style not in {"none", "hidden"}, what
    assert width >= 2, what
    assert colour not in {"transparent", "rgba(0, 0, 0, 0)"}, what
    assert focused.evaluate(ON_TOP), f"covered or out of sight: {what}"
