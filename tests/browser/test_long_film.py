"""A film of 20 minutes that must be encoded: watched from its upload on, at any point."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.media.binary import ffmpeg_binary
from tests.browser.conftest import Site
from tests.browser.test_first_evening import FRAMES, until
from tests.browser.test_upload import sign_in
from tests.films import made_film

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

MINUTES = 20


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_plays_at_once_and_at_minute_15_while_it_is_encoded(
    page: Page, site: Site, tmp_path: Path
) -> None:
    film = tmp_path / "long.mkv"
    part = made_film(10, "1280x720", "mpeg4")
    loops = MINUTES * 6 - 1
    subprocess.run(
        [ffmpeg_binary(None), "-nostdin", "-v", "error", "-stream_loop", str(loops),
         "-i", part, "-c", "copy", film],
        check=True,
    )  # fmt: skip
    sign_in(page, site, site.url)
    page.goto(f"{site.url}/upload")
    page.locator("input[type=file]").first.set_input_files(film)
    page.get_by_role("button", name="Upload film").click()
    with page.expect_response(
        lambda answer: (
            "Video-Location" in str(answer.all_headers())
            or "video-location" in answer.all_headers()
        ),
        timeout=120_000,
    ):
        pass
    uploaded = time.monotonic()
    watch = page.get_by_role("link", name="Watch")
    expect(watch).to_be_visible(timeout=30_000)
    watch.click()
    video = page.locator("video")
    until(page, lambda: video.evaluate(FRAMES) > 1)
    first = time.monotonic() - uploaded
    assert video.evaluate("v => v.videoWidth") > 0
    assert abs(video.evaluate("v => v.duration") - MINUTES * 60) < 5

    shown = video.evaluate(FRAMES)
    sought = time.monotonic()
    video.evaluate("v => { v.currentTime = 15 * 60; }")
    until(page, lambda: not video.evaluate("v => v.seeking"))
    until(page, lambda: video.evaluate(FRAMES) > shown + 5)
    there = time.monotonic() - sought
    assert video.evaluate("v => v.currentTime") >= 15 * 60
    assert video.evaluate("v => v.error") is None
    answer = page.request.get(f"{site.url}/api/videos/1/").json()
    assert answer["status"] == "processing"
    print(f"first picture {first:.1f} s after the upload, at minute 15 {there:.1f} s after seeking")
