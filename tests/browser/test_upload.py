"""An upload that meets a broken connection, a pause, a reload, and a film one has already."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.test_first_evening import FRAMES, shot, until
from tests.browser.wire import Wire
from tests.conftest import PASSWORD
from tests.films import made_film

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

SLOW = 400_000
"""Bytes a second, so that there is time to break something in the middle."""


def sign_in(page: Page, site: Site, url: str) -> None:
    words = ["users", "create", "ada@example.org", "--verified", "--password-stdin"]
    site.flask(*words, typed=f"{PASSWORD}\n")
    page.goto(f"{url}/login")
    page.get_by_label("Email").fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/browse")


@pytest.fixture
def wire(site: Site) -> Iterator[Wire]:
    wire = Wire(site.url, SLOW)
    yield wire
    wire.close()


def sent(page: Page) -> float:
    """The share that the page says is sent."""
    return float(page.locator("[data-upload-bar]").evaluate("bar => bar.value"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_goes_on_after_a_cut_a_pause_and_a_reload_and_every_byte_is_there(
    page: Page, site: Site, wire: Wire
) -> None:
    film = made_film(25, "640x360", "mpeg4")
    whole = film.read_bytes()
    assert len(whole) > 10 * SLOW
    sign_in(page, site, wire.url)
    page.goto(f"{wire.url}/upload")
    page.locator("input[type=file]").first.set_input_files(film)
    page.get_by_role("button", name=re.compile("^Upload film")).click()
    until(page, lambda: sent(page) > 0.1)

    wire.cut()
    expect(page.get_by_text("No connection. It goes on by itself")).to_be_visible()
    stopped = sent(page)
    page.get_by_label("Title").last.fill("Bars, again")
    wire.mend()
    until(page, lambda: sent(page) > stopped + 0.05)

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text(re.compile("Paused · [0-9]+ % is there"))).to_be_visible()
    shot(page, "upload-paused")
    page.get_by_role("button", name="Go on").click()
    until(page, lambda: sent(page) > stopped + 0.15)

    page.on("dialog", lambda dialog: dialog.accept())  # leaving the page warns
    page.reload()
    expect(page.get_by_text("choose the file again to go on")).to_be_visible()
    shot(page, "upload-left")
    before = sent(page)
    assert 0 < before < 1
    page.locator("input[type=file]").first.set_input_files(film)
    watch = page.get_by_role("link", name="Watch Bars, again")
    expect(watch).to_be_visible(timeout=60_000)
    originals = list((Path(site.data) / "media" / "films").glob("*/original"))
    assert [hashlib.sha256(path.read_bytes()).digest() for path in originals] == [
        hashlib.sha256(whole).digest()
    ]
    assert list((Path(site.data) / "media" / "incoming").iterdir()) == []
    page.get_by_role("button", name=re.compile("^Upload")).or_(watch).first.wait_for()
    expect(page.get_by_text("Ready", exact=True)).to_be_visible(timeout=60_000)
    page.get_by_label("Title").last.fill("Bars, at last")
    page.get_by_label("Title").last.press("Tab")
    expect(page.get_by_role("status")).to_have_text("Bars, at last: saved.")
    watch.click()
    video = page.locator("video")
    until(page, lambda: video.evaluate(FRAMES) > 10)
    assert video.evaluate("video => video.videoWidth") > 0
    page.goto(f"{wire.url}/my-videos")
    expect(page.get_by_role("link", name="Bars, at last").first).to_be_visible()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_film_is_refused_at_its_beginning_and_leaves_nothing(
    page: Page, site: Site, tmp_path: Path
) -> None:
    text = tmp_path / "letter.mp4"
    text.write_bytes(b"Dear all, " * 400_000)
    sign_in(page, site, site.url)
    page.goto(f"{site.url}/upload")
    page.locator("input[type=file]").first.set_input_files([text, made_film()])
    page.get_by_role("button", name="Upload 2 films").click()
    refused = page.locator("[data-trouble-text]").first
    expect(refused).to_contain_text("This file is not a film that we can read")
    expect(page.get_by_role("link", name=re.compile("^Watch"))).to_be_visible(timeout=30_000)
    shot(page, "upload-refused")
    assert list((Path(site.data) / "media" / "incoming").iterdir()) == []
