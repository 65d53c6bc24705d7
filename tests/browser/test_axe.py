"""Every page on a desk and on a phone, light and dark: nothing sticks out, no rule is broken.

The rules are those of WCAG 2.2, levels A and AA, that axe-core can check.
`VIDEOFLIX_SCREENSHOTS=build/pictures make test ARGS='-k pictures'` keeps what was seen.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Site
from tests.browser.people import ADMIN, DEMO
from tests.browser.sheets import draw_sheets, see_player
from tests.browser.town import Town, fill

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
NARROWEST = 320
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SETTLED = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  let moving;
  do {
    await frame();
    await frame();
    moving = document.getAnimations().map(each => each.finished);
    await Promise.allSettled(moving);
  } while (moving.length);
}"""
AXE = Axe().axe_script
BROKEN = """values => axe.run({runOnly: {type: "tag", values}, resultTypes: ["violations"]}).then(
  found => found.violations.map(({id, nodes}) => ({id, targets: nodes.map(node => node.target)}))
)"""
"""Only what is broken crosses over to Python: the whole of what axe found is megabytes."""
SHOTS = os.environ.get("VIDEOFLIX_SCREENSHOTS")


def pages_of(town: Town) -> dict[str | None, dict[str, str]]:
    """Who sees which pages: their names and paths."""
    return {
        None: {
            "landing": "/",
            "login": "/login",
            "register": "/register",
            "forgot-password": "/forgot-password",
            "verify": town.confirm,
            "link-problem": "/verify/nobody/nothing",
        },
        DEMO: {
            "browse": "/browse",
            "category": "/browse/category/Drama",
            "search": "/search?q=gar",
            "search-empty": "/search?q=zzzz",
            "film": "/videos/1",
            "episode": f"/videos/{town.film}",
            "series": f"/series/{town.series}",
            "edit": f"/videos/{town.film}/edit",
            "my-videos": "/my-videos",
            "my-list": "/my-list",
            "continue-watching": "/continue-watching",
            "upload": "/upload",
            "account": "/account",
            "not-found": "/videos/9999",
            "api": "/api/docs/",
        },
        ADMIN: {
            "admin": "/admin",
            "admin-people": "/admin/users",
            "admin-nobody": "/admin/users?q=nobody",
            "admin-conversions": "/admin/videos",
            "my-list-empty": "/my-list",
        },
    }


def test_axe_finds_nothing_in_pictures_of_all_pages(
    chromium: Browser, demo_site: Site, tmp_path: Path
) -> None:
    town = fill(chromium, demo_site, tmp_path)
    found: list[str] = []
    for size, person in ((size, person) for size in SIZES for person in pages_of(town)):
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            has_touch=size == "phone",
            is_mobile=size == "phone",
            locale="en-GB",
            reduced_motion="reduce",
            storage_state=town.cookies[person] if person else None,
            bypass_csp=True,  # axe is a script put into the page, which our policy forbids
        )
        page = context.new_page()
        for name, path in pages_of(town)[person].items():
            page.goto(f"{demo_site.url}{path}")
            page.wait_for_load_state("networkidle")
            for scheme in SCHEMES if SHOTS else ():
                change_colours(page, scheme)
                shoot(page, f"{name}-{size}-{scheme}")
            page.locator("main details").evaluate_all("all => all.forEach(it => it.open = true)")
            for scheme in SCHEMES:
                change_colours(page, scheme)
                found += [f"{path}, {size}, {scheme}: {wrong}" for wrong in violations(page)]
            narrow = NARROWEST if size == "phone" else width
            page.set_viewport_size({"width": narrow, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= narrow, (path, size)
            page.set_viewport_size({"width": width, "height": height})
        context.close()
    if SHOTS:
        see_player(chromium, town, Path(SHOTS), SIZES)
        draw_sheets(chromium, Path(SHOTS))
    assert found == [], "\n".join(["", *found])


def change_colours(page: Page, scheme: Literal["light", "dark"]) -> None:
    """Go to the other scheme, and wait until nothing is on its way from one colour to the next."""
    page.emulate_media(color_scheme=scheme)
    page.evaluate(SETTLED)


def shoot(page: Page, name: str) -> None:
    """Keep what is seen, and the whole length of it."""
    folder = Path(str(SHOTS))
    (folder / "long").mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / "long" / f"{name}.png", full_page=True)
    page.screenshot(path=folder / f"{name}.png")


def violations(page: Page) -> list[str]:
    """Each broken rule with the elements that break it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    broken: list[dict[str, Any]] = page.evaluate(BROKEN, RULES)
    return [f"{rule['id']}: {rule['targets']}" for rule in broken]
