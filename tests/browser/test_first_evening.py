"""From register to a played film, against a site started by `make run`."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.films import made_film

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

FRAMES = "video => video.getVideoPlaybackQuality().totalVideoFrames"
SHOTS = os.environ.get("VIDEOFLIX_SCREENSHOTS")


def register(page: Page, site: Site, email: str, password: str) -> None:
    page.goto(f"{site.url}/")
    page.get_by_role("link", name="Create account").first.click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password again").fill(password)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text(email)).to_be_visible()
    link = re.search(r"http\S+/verify/\S+", site.mail(email, "confirm"))
    assert link
    page.goto(link[0])
    page.get_by_role("button").filter(has_text=re.compile("confirm", re.I)).click()
    page.goto(f"{site.url}/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/browse")


def upload(page: Page, site: Site, film: Path, title: str) -> None:
    page.goto(f"{site.url}/upload")
    page.locator("input[type=file]").first.set_input_files(film)
    page.get_by_label("Title").last.fill(title)
    page.get_by_role("button", name=re.compile("^Upload")).click()
    watch = page.get_by_role("link", name="Watch")
    expect(watch).to_be_visible(timeout=60_000)
    shot(page, "upload")
    watch.click()
    page.wait_for_url("**/watch/*")


def choose_quality(page: Page, height: str) -> None:
    page.mouse.move(640, 400)
    menu = page.get_by_role("menuitem", name="Quality")
    if not menu.is_visible():
        page.locator("media-settings-menu-button").click()
    menu.click()
    page.locator("media-rendition-menu").get_by_role("menuitemradio", name=height).click()
    expect(page.locator("[data-player]")).to_have_attribute(
        "data-quality", height.removesuffix("p")
    )


def until(page: Page, condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait in Python: our content policy forbids the page to evaluate a text."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        page.wait_for_timeout(100)


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def test_from_register_to_a_played_film_and_one_ctrl_c_ends_it(page: Page, site: Site) -> None:
    register(page, site, "mara@example.org", "correct horse battery")
    upload(page, site, made_film(30, "1280x720"), "Bars and a tone")

    video = page.locator("video")
    expect(page.locator("[data-player]")).to_have_attribute("data-state", "playing")
    until(page, lambda: video.evaluate(FRAMES) > 10)
    assert video.evaluate("video => video.videoWidth") > 0
    seen = {video.evaluate("video => video.videoHeight")}
    for height in ("240p", "720p", "360p"):
        choose_quality(page, height)
        wanted = int(height.removesuffix("p"))
        until(page, lambda wanted=wanted: video.evaluate("v => v.videoHeight") == wanted)
        frames = video.evaluate(FRAMES)
        until(page, lambda frames=frames: video.evaluate(FRAMES) > frames + 5)
        seen.add(video.evaluate("video => video.videoHeight"))
    assert {240, 720, 360} <= seen
    assert video.evaluate("video => video.error") is None

    page.keyboard.press("Escape")
    page.goto(f"{site.url}/my-videos")
    expect(page.get_by_role("link", name="Bars and a tone").first).to_be_visible()
    one_ctrl_c_ends_every_process(site)


def one_ctrl_c_ends_every_process(site: Site) -> None:
    started = psutil.Process(site.process.pid).children(recursive=True)
    assert len(started) >= 5  # Redis, web, workers
    os.killpg(site.process.pid, signal.SIGINT)
    assert site.process.wait(30) in {0, -signal.SIGINT}  # make itself may die of the signal
    gone, alive = psutil.wait_procs(started, timeout=5)
    assert [process.cmdline() for process in alive] == []
    assert gone
