"""What the player shows beside the picture: captions, chapters, and the film on its time line."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.test_first_evening import FRAMES, until
from tests.videos.test_captions import talking_film

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

SHOTS = os.environ.get("VIDEOFLIX_SCREENSHOTS")
EMAIL, PASSWORD = "grace@example.org", "correct horse battery"
TRACKS = "v => [...v.textTracks].map(t => [t.kind, t.label, t.mode, t.cues?.length ?? 0])"
SHOWN = "v => [...v.textTracks].flatMap(t => [...(t.activeCues ?? [])].map(c => [t.kind, c.text]))"


def newest(site: Site, title: str) -> dict[str, Any]:
    """What the site's list says of the film that was added last, which has this title."""
    film: dict[str, Any] = json.loads(site.flask("videos", "list", "--json"))[0]
    assert film["title"] == title
    return film


def stalls(site: Site) -> float:
    """How often players of this site have said that playback stood still."""
    with urlopen(f"{site.url}/metrics") as answer:  # noqa: S310 - our own
        found = re.search(r"^videoflix_player_stalls_total (\S+)$", answer.read().decode(), re.M)
    assert found
    return float(found[1])


def test_captions_chapters_and_pictures_on_the_time_line(
    page: Page, demo_site: Site, tmp_path: Path
) -> None:
    site, film = demo_site, talking_film(tmp_path, seconds=40)
    words = ["users", "create", EMAIL, "--verified", "--password-stdin"]
    site.flask(*words, typed=f"{PASSWORD}\n")
    site.flask("videos", "import", str(film), "--owner", EMAIL, "--title", "Talking")
    site.wait_for_films(lambda films: films[-1].has_storyboard)
    talking = newest(site, "Talking")
    page.goto(f"{site.url}/login")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/browse")
    picture = page.locator(".card picture img").first
    until(page, lambda: ".avif?" in picture.evaluate("i => i.naturalWidth && i.currentSrc || ''"))
    until(page, lambda: page.locator(".card .placeholder").first.evaluate("i => i.naturalWidth"))
    page.goto(f"{site.url}/watch/{talking['id']}")
    video = page.locator("video")
    expect(page.locator("[data-player]")).to_have_attribute("data-state", "playing")
    until(page, lambda: video.evaluate(FRAMES) > 10)

    until(page, lambda: len(video.evaluate(TRACKS)) >= 4)
    kinds = {(kind, label) for kind, label, _, _ in video.evaluate(TRACKS)}
    assert {("chapters", "Chapters"), ("metadata", "thumbnails")} <= kinds
    assert {("subtitles", "English"), ("subtitles", "Français")} <= kinds
    page.keyboard.press("c")
    video.evaluate("v => { v.currentTime = 1; v.pause(); }")
    until(page, lambda: ["subtitles", "<b>Hi</b> alert(1)"] in video.evaluate(SHOWN))
    assert ["chapters", "Begin &lt;b&gt;"] in video.evaluate(SHOWN)

    bar = page.locator("media-time-range")
    box = bar.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    image = page.locator("media-preview-thumbnail")
    until(page, lambda: image.evaluate("e => e.shadowRoot.querySelector('img').naturalWidth") > 0)
    assert image.evaluate("e => e.shadowRoot.querySelector('img').naturalWidth") >= 160
    if SHOTS:
        page.wait_for_timeout(400)
        page.screenshot(path=Path(SHOTS) / "player-time-line.png")

    before = stalls(site)
    video.evaluate("v => { v.play(); }")
    expect(page.locator("[data-player]")).to_have_attribute("data-state", "playing")
    video.evaluate("v => { v.dispatchEvent(new Event('waiting')); v.currentTime = 9; }")
    until(page, lambda: stalls(site) > before)

    page.goto(f"{site.url}/videos/{talking['id']}")
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_role("textbox", name="A moment of the film").fill("0:01")
    page.get_by_role("button", name="Use this moment").click()
    expect(page.get_by_text("The new picture will be there in a moment.")).to_be_visible()
    page.get_by_role("button", name="Remove Français").click()
    expect(page.get_by_text("The captions are gone.")).to_be_visible()
