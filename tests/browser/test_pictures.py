"""Every page on a desk and on a phone, light and dark: nothing sticks out, and the README's pictures.

`VIDEOFLIX_SCREENSHOTS=docs/images make test ARGS='-k pictures'` keeps what was seen.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

SHOTS = os.environ.get("VIDEOFLIX_SCREENSHOTS")
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


@pytest.mark.parametrize("site", [{"DEMO": "1"}], indirect=True)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_pictures(chromium: Browser, site: Site) -> None:
    for size, (width, height) in SIZES.items():
        for scheme in ("dark", "light"):
            context = chromium.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                locale="en-GB",
            )
            page = context.new_page()
            for name, path in {"landing": "/", "login": "/login", "register": "/register"}.items():
                page.goto(f"{site.url}{path}")
                keep(page, f"{name}-{size}-{scheme}")
            page.goto(f"{site.url}/login")
            page.get_by_label("Email").fill("demo@videoflix.example")
            page.get_by_label("Password", exact=True).fill("popcorn-and-stars")
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/browse")
            expect(page.get_by_text("Big Buck Bunny").first).to_be_visible()
            signed_in = {
                "browse": "/browse",
                "film": "/videos/1",
                "my-videos": "/my-videos",
                "upload": "/upload",
                "account": "/account",
                "not-found": "/videos/99",
                "api": "/api/docs/",
            }
            for name, path in signed_in.items():
                page.goto(f"{site.url}{path}")
                keep(page, f"{name}-{size}-{scheme}")
            page.goto(f"{site.url}/watch/1")
            player = page.locator("[data-player]")
            expect(player).to_have_attribute("data-state", "playing", timeout=30_000)
            page.wait_for_timeout(3000)
            page.mouse.move(width / 2, height / 2)
            keep(page, f"watch-{size}-{scheme}")
            context.close()


def keep(page: Page, name: str) -> None:
    """Check that nothing sticks out sideways; keep the picture where it is wanted."""
    page.wait_for_load_state("networkidle")
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, name
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")
