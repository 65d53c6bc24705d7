"""Every page on a desk and on a phone, light and dark: nothing sticks out sideways.

`VIDEOFLIX_SCREENSHOTS=build/pictures make test ARGS='-k pictures'` keeps what was seen.
"""

from __future__ import annotations

import json
import os
import time
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site
from tests.browser.people import ADMIN, DEMO, add_broken_film, add_people, fill_account, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

STICKING_OUT = "document.documentElement.scrollWidth - window.innerWidth"
SHOTS = os.environ.get("VIDEOFLIX_SCREENSHOTS")
FILMS = {
    "bee_720p_faststart.mp4": ("The bee", "Nature"),
    "butterfly_720p_faststart.mp4": ("Butterfly", "Nature"),
    "traffic_768x432_12fps_30s.mp4": ("Traffic", "City"),
    "tears_of_steel_vp8_70s.webm": ("Tears of Steel", "Animation"),
    "ducks_iphone_720p.mp4": ("Ducks", "Nature"),
    "flower_540p_faststart.mp4": ("A flower opens", "Nature"),
}
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


@pytest.mark.parametrize("site", [{"DEMO": "1"}], indirect=True)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_pictures(chromium: Browser, site: Site, tmp_path: Path) -> None:
    fill_catalogue(site)
    confirm = add_people(site)
    add_broken_film(site, tmp_path)
    cookies = {email: sign_in(chromium, site, email, tmp_path) for email in (ADMIN, DEMO)}
    fill_account(chromium, site, sign_in(chromium, site, DEMO, tmp_path))
    pages: dict[str | None, dict[str, str]] = {
        None: {
            "landing": "/",
            "login": "/login",
            "register": "/register",
            "forgot-password": "/forgot-password",
            "verify": confirm,
            "link-problem": "/verify/nobody/nothing",
        },
        ADMIN: {"admin-users": "/admin/users", "admin-videos": "/admin/videos"},
        DEMO: {
            "browse": "/browse",
            "film": "/videos/1",
            "my-videos": "/my-videos",
            "upload": "/upload",
            "account": "/account",
            "not-found": "/videos/99",
            "api": "/api/docs/",
        },
    }
    schemes = ("dark", "light") if SHOTS else ("dark",)  # they differ in colours alone
    for (size, (width, height)), scheme in product(SIZES.items(), schemes):
        for person, paths in pages.items():
            context = chromium.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                locale="en-GB",
                storage_state=cookies[person] if person else None,
            )
            page = context.new_page()
            for name, path in paths.items():
                page.goto(f"{site.url}{path}")
                keep(page, f"{name}-{size}-{scheme}", full_page=name == "account")
            if person == DEMO:
                page.goto(f"{site.url}/watch/1")
                player = page.locator("[data-player]")
                expect(player).to_have_attribute("data-state", "playing", timeout=30_000)
                page.wait_for_timeout(3000)
                page.mouse.move(width / 2, height / 2)
                keep(page, f"watch-{size}-{scheme}")
            context.close()


def fill_catalogue(site: Site) -> None:
    """Add more films, where there are some, and wait until all have pictures."""
    folder = os.environ.get("VIDEOFLIX_TEST_MEDIA")
    for name, (title, category) in FILMS.items() if folder else ():
        path = Path(folder or "") / "real" / name
        words = ["--title", title, "--category", category, "--owner", "demo@videoflix.example"]
        site.flask("videos", "import", str(path), "--global", *words)
    deadline = time.monotonic() + 60
    while any(not video["thumbnail_url"] for video in films(site)):
        assert time.monotonic() < deadline
        time.sleep(1)


def films(site: Site) -> list[dict[str, Any]]:
    """What `flask videos list` says of all films."""
    found: list[dict[str, Any]] = json.loads(site.flask("videos", "list", "--json"))
    return found


def keep(page: Page, name: str, full_page: bool = False) -> None:
    """Check that nothing sticks out sideways; keep the picture where it is wanted."""
    page.wait_for_load_state("networkidle")
    assert page.evaluate(STICKING_OUT) <= 0, name
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=full_page)
