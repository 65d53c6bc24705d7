"""A site full of people, and an account in which there is something of everything."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from app.videos.models import Status
from tests.browser.conftest import Site
from tests.conftest import PASSWORD

DEMO = "demo@videoflix.example"
ADMIN = "ada@example.org"
PASSWORDS = {DEMO: "popcorn-and-stars", ADMIN: PASSWORD}

WAITING = "linus@example.org"
SHUT = "margaret@example.org"
LONG = "a.very.long.address.that.hardly.fits@a-narrow-telephone.example.org"


def add_people(site: Site) -> str:
    """Create an administrator and accounts in all states; the path of a link to confirm one."""
    for email, *words in (
        (ADMIN, "--admin", "--verified"),
        (LONG, "--verified"),
        (SHUT, "--verified"),
        (WAITING,),
    ):
        site.flask("users", "create", email, *words, "--password-stdin", typed=f"{PASSWORD}\n")
    site.flask("users", "promote", LONG, "--role", "curator")
    site.flask("users", "disable", SHUT)
    link = re.search(r"http://[^/]+(/verify/\S+)", site.mail(WAITING, "confirm"))
    assert link
    return link[1]


def add_broken_film(site: Site, folder: Path) -> None:
    """Bring in a file that only begins like a film, and wait until its conversion has failed."""
    path = folder / "holiday.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(9000))
    site.flask("videos", "import", str(path), "--title", "Holiday by the sea")
    site.wait_for_films(lambda films: any(film.status == Status.FAILED for film in films))


def sign_in(chromium: Browser, site: Site, email: str, folder: Path) -> Path:
    """Begin a session; its cookies in a file, for a browser context to start with."""
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{site.url}/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORDS[email])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/browse")
    cookies = folder / f"{email}.json"
    context.storage_state(path=cookies)
    context.close()
    return cookies


def fill_account(chromium: Browser, site: Site, cookies: Path, email: str = DEMO) -> None:
    """Give an account an address that waits for its link, and an API token."""
    context = chromium.new_context(storage_state=cookies, locale="en-GB")
    page = context.new_page()
    page.goto(f"{site.url}/account")
    page.get_by_text("Change address").click()
    page.get_by_label("New address").fill(f"new.{LONG}")
    page.locator("#email").get_by_label("Your password").fill(PASSWORDS[email])
    page.get_by_role("button", name="Send the link").click()
    expect(page.locator("#email").get_by_text(f"new.{LONG}")).to_be_visible()
    page.get_by_text("New token").click()
    page.get_by_label("What it is for").fill("Backup of the living room")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_text("it is not shown again")).to_be_visible()
    context.close()
