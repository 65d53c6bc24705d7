"""No page breaks a rule of WCAG 2.2, levels A and AA, that axe-core can check."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Site
from tests.browser.people import ADMIN, DEMO, add_broken_film, add_people, fill_account, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
SIZES = ((1280, 800), (360, 740))


@pytest.mark.parametrize("site", [{"DEMO": "1"}], indirect=True)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_axe_finds_nothing(chromium: Browser, site: Site, tmp_path: Path) -> None:
    confirm = add_people(site)
    add_broken_film(site, tmp_path)
    cookies = {email: sign_in(chromium, site, email, tmp_path) for email in (ADMIN, DEMO)}
    fill_account(chromium, site, sign_in(chromium, site, DEMO, tmp_path))
    pages: dict[str | None, list[str]] = {
        None: ["/", "/login", "/register", "/forgot-password", confirm, "/verify/nobody/nothing"],
        DEMO: ["/browse", "/videos/1", "/my-videos", "/upload", "/account", "/videos/99"],
        ADMIN: ["/admin/users", "/admin/users?q=nobody", "/admin/videos"],
    }
    found: list[str] = []
    for (width, height), scheme, (person, paths) in product(
        SIZES, ("dark", "light"), pages.items()
    ):
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            locale="en-GB",
            storage_state=cookies[person] if person else None,
            bypass_csp=True,  # axe is a script put into the page, which our policy forbids
        )
        page = context.new_page()
        for path in paths:
            page.goto(f"{site.url}{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            page.locator("main details").evaluate_all("all => all.forEach(it => it.open = true)")
            found += [f"{path}, {width} px, {scheme}: {wrong}" for wrong in violations(page)]
        context.close()
    assert found == [], "\n".join(["", *found])


def violations(page: Page) -> list[str]:
    """Each broken rule with the elements that break it."""
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    broken: list[dict[str, Any]] = Axe().run(page, options=options).response["violations"]
    return [f"{rule['id']}: {[node['target'] for node in rule['nodes']]}" for rule in broken]
