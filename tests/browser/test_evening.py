"""An evening: to go on where one left, in one's own languages, to the next episode."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.media.binary import ffmpeg_binary
from app.videos.models import Status
from tests.browser.conftest import Site, running
from tests.browser.test_axe import violations
from tests.browser.test_first_evening import FRAMES, until
from tests.films import made_film

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

SHOTS = os.environ.get("VIDEOFLIX_SCREENSHOTS")
EMAIL, PASSWORD = "ada@example.org", "correct horse battery"
SECONDS = 75
FIRST, SECOND, ALONE = 1, 2, 3
"""Two episodes, and a film that is none."""

SUBTITLE = "1\n00:00:00,200 --> 00:01:14,000\n{text}\n"
CHAPTERS = ";FFMETADATA1\n" + "".join(
    f"[CHAPTER]\nTIMEBASE=1/1\nSTART={start}\nEND={end}\ntitle={title}\n"
    for start, end, title in ((0, 30, "Opening"), (30, SECONDS, "The rest"))
)

PICTURE = "v => [v.videoWidth, v.getVideoPlaybackQuality().totalVideoFrames]"
CUES = """v => [...v.textTracks].filter(t => t.mode === 'showing' && t.kind === 'subtitles')
    .flatMap(t => [...(t.activeCues ?? [])].map(c => c.text))"""
SOUND = "v => [...v.audioTracks].filter(t => t.enabled).map(t => t.language)"

Visitor = Callable[..., Page]


@dataclass(frozen=True)
class Evening:
    """A running site with the films, and the cookies of who owns them."""

    site: Site
    cookies: Any

    def position(self, page: Page, film: int) -> float:
        """Where the server says that one goes on."""
        answer = page.request.get(f"{self.site.url}/api/videos/{film}/playback/")
        return float(answer.json()["position"])


def talking_film(folder: Path, title: str, seconds: float) -> Path:
    """A film with two sound tracks, captions in two languages, and two chapters."""
    (folder / "eng.srt").write_text(SUBTITLE.format(text="Good evening"))
    (folder / "fre.srt").write_text(SUBTITLE.format(text="Bonsoir"))
    (folder / "chapters.txt").write_text(CHAPTERS)
    path = folder / f"{title}.mkv"
    words = ["-nostdin", "-v", "error", "-i", made_film(seconds), "-f", "lavfi"]
    words += ["-i", f"sine=f=880:r=48000:d={seconds}", "-i", folder / "eng.srt"]
    words += ["-i", folder / "fre.srt", "-i", folder / "chapters.txt", "-map_metadata", "4"]
    words += ["-metadata", f"title={title}"]
    words += ["-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:v", "copy", "-c:a", "aac"]
    for stream, language in (("a:0", "eng"), ("a:1", "ger"), ("s:0", "eng"), ("s:1", "fre")):
        words += [f"-metadata:s:{stream}", f"language={language}"]
    subprocess.run([ffmpeg_binary(None), *words, path], check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def evening(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    """One site for all tests of this file: its films are converted once."""
    folder = tmp_path_factory.mktemp("evening")
    with running("sqlite", folder) as site:
        words = ["users", "create", EMAIL, "--verified", "--password-stdin"]
        site.flask(*words, typed=f"{PASSWORD}\n")
        for title in ("Dusk", "Dawn"):
            film = str(talking_film(folder, title, SECONDS))
            site.flask("videos", "import", film, "--owner", EMAIL, "--title", title)
        alone = str(made_film(6))
        site.flask("videos", "import", alone, "--owner", EMAIL, "--title", "Alone")
        site.wait_for_films(
            lambda films: all(each.status == Status.READY and each.has_storyboard for each in films)
        )
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{site.url}/login")
        page.get_by_label("Email").fill(EMAIL)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/browse")
        for episode, film_id in ((1, FIRST), (2, SECOND)):
            part = {"series": "Night Shift", "season": 1, "episode": episode}
            answer = page.request.patch(f"{site.url}/api/local-videos/{film_id}/", data=part)
            assert answer.ok, answer.text()
        cookies = context.storage_state()
        context.close()
        yield Evening(site, cookies)


@pytest.fixture
def visit(chromium: Browser, evening: Evening) -> Iterator[Visitor]:
    """Opens a page in a browser profile of its own, signed in unless `guest`."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_page(guest: bool = False, **options: Any) -> Page:
        state = None if guest else evening.cookies
        context = chromium.new_context(
            **{
                "viewport": {"width": 1280, "height": 800},
                "locale": "en-GB",
                "storage_state": state,
                **options,
            }
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda said: problems.append(said.text) if "Content Security" in said.text else None,
        )
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(autouse=True)
def afresh(request: pytest.FixtureRequest, evening: Evening, visit: Visitor) -> None:
    """Nobody has seen anything yet."""
    page = visit()
    for film in (FIRST, SECOND, ALONE):
        answer = page.request.delete(f"{evening.site.url}/api/videos/{film}/watched/")
        assert answer.ok


def watch(page: Page, evening: Evening, film: int) -> None:
    """Open the film and wait until pictures of it have been decoded."""
    page.goto(f"{evening.site.url}/watch/{film}")
    plays(page)


def plays(page: Page) -> None:
    """More and more pictures are decoded."""
    expect(page.locator("[data-player]")).to_have_attribute("data-state", "playing")
    width, frames = page.locator("video").evaluate(PICTURE)
    assert width > 0
    until(page, lambda: page.locator("video").evaluate(FRAMES) > frames + 5)


def seek(page: Page, seconds: float) -> None:
    page.locator("video").evaluate("(v, to) => { v.currentTime = to; }", seconds)


def clock(page: Page) -> float:
    return float(page.locator("video").evaluate("v => v.currentTime"))


def choose(page: Page, menu: str, item: str) -> None:
    """Choose in the settings with the mouse."""
    page.mouse.move(640, 300)
    page.locator("media-settings-menu-button").click()
    page.get_by_role("menuitem", name=menu).click()
    page.get_by_role("menuitemradio", name=item).click()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")


def choose_by_keys(page: Page, menu: str, item: str) -> None:
    """Choose in the settings without a mouse."""
    focused = """v => {
        const one = document.activeElement;
        const item = one.shadowRoot?.activeElement ?? one;
        return item.role?.startsWith('menuitem') ? item.textContent.trim() : null;
    }"""

    def arrived(name: str) -> bool:
        text = page.locator("video").evaluate(focused)
        if text is None or text.startswith(name):  # it goes into a menu once that is drawn
            return text is not None
        page.keyboard.press("ArrowDown")
        return False

    page.locator("media-settings-menu-button").focus()
    for name in ("", menu, item):
        until(page, lambda name=name: not name or arrived(name))
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.wait_for_timeout(400)
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def test_one_goes_on_elsewhere_and_the_next_episode_begins_by_itself(
    evening: Evening, visit: Visitor
) -> None:
    page = visit()
    page.goto(f"{evening.site.url}/browse")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Search").click()
    page.get_by_label("Find a film").fill("nihgt shift duks")  # two slips of the finger
    said = "No film matches “nihgt shift duks”. Showing 1 film for “night shift dusk”."
    expect(page.get_by_role("status")).to_have_text(said)
    page.get_by_role("article").locator(".card-link").click()
    page.get_by_role("link", name="Play", exact=True).click()
    page.wait_for_url(f"**/watch/{FIRST}")
    plays(page)
    assert clock(page) < 20
    seek(page, 60)
    plays(page)
    left = clock(page)
    page.close(run_before_unload=True)

    other = visit()
    until(other, lambda: abs(evening.position(other, FIRST) - left) < 2)
    watch(other, evening, FIRST)
    assert left - 2 < clock(other) < left + 8  # it has gone on playing since
    first = other.locator("video").evaluate("v => v.played.start(0)")
    assert abs(first - left) < 2

    seek(other, SECONDS - 1)
    card = other.get_by_role("region", name="Dawn")
    expect(card).to_be_visible()
    expect(card.get_by_text("Next: S1 E2")).to_be_visible()
    expect(card.get_by_role("link", name="Play now")).to_be_focused()
    shot(other, "end-next")
    other.wait_for_url(f"**/watch/{SECOND}")
    plays(other)
    assert clock(other) < 20
    expect(other.get_by_role("heading", name="Night Shift · S1 E2 · Dawn")).to_be_attached()
    assert other.title().startswith("Dawn")
    assert evening.position(other, FIRST) == 0  # it is finished
    other.go_back()
    assert f"/watch/{FIRST}" not in other.url


def test_a_count_that_was_cancelled_leads_nowhere(evening: Evening, visit: Visitor) -> None:
    page = visit()
    watch(page, evening, FIRST)
    seek(page, SECONDS - 1)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Plays in")).to_be_hidden()
    page.get_by_role("button", name="Watch again").click()
    plays(page)
    assert clock(page) < 20
    seek(page, SECONDS - 1)
    expect(page.get_by_role("link", name="Play now")).to_be_visible()
    expect(page.get_by_text("Plays in")).to_be_hidden()
    page.keyboard.press("f")
    full = "() => document.fullscreenElement !== null"
    until(page, lambda: bool(page.locator("video").evaluate(full)))
    page.keyboard.press("n")
    page.wait_for_url(f"**/watch/{SECOND}")
    plays(page)
    assert page.locator("video").evaluate(full)


def test_nothing_begins_while_nobody_sees_the_page(evening: Evening, visit: Visitor) -> None:
    page = visit()
    watch(page, evening, FIRST)
    hide = """(v, hidden) => Object.defineProperty(
        document, 'hidden', {get: () => hidden, configurable: true})"""
    page.locator("video").evaluate(hide, True)
    seek(page, SECONDS - 1)
    count = page.get_by_text("Plays in")
    expect(count).to_have_text("Plays in 8 s")
    page.wait_for_timeout(2500)
    expect(count).to_have_text("Plays in 8 s")
    page.locator("video").evaluate(hide, False)
    expect(count).to_have_text("Plays in 7 s")


def test_a_line_that_was_cut_is_told_later_and_bothers_nobody(
    evening: Evening, visit: Visitor
) -> None:
    page = visit()
    watch(page, evening, FIRST)
    page.context.set_offline(True)
    seek(page, 10)
    until(page, lambda: clock(page) >= 10)
    page.keyboard.press("k")
    until(page, lambda: page.locator("video").evaluate("v => v.paused"))
    left = clock(page)
    expect(page.get_by_role("alert")).to_be_hidden()
    page.context.set_offline(False)
    until(page, lambda: abs(evening.position(page, FIRST) - left) < 0.1)


def test_a_film_that_is_withdrawn_meanwhile_is_said_to_be_gone(
    evening: Evening, visit: Visitor
) -> None:
    page = visit()
    watch(page, evening, ALONE)
    address = f"**/api/videos/{ALONE}/progress/"
    page.route(address, lambda route: route.continue_(url=route.request.url.replace("/3/", "/99/")))
    seek(page, 3)
    expect(page.get_by_role("alert")).to_contain_text("This film is no longer here.")


def test_a_page_that_was_only_opened_moves_nothing_back(evening: Evening, visit: Visitor) -> None:
    page = visit()
    address = f"{evening.site.url}/api/videos/{FIRST}/progress/"
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url) if asked.url == address else None)
    page.goto(f"{evening.site.url}/watch/{FIRST}")
    until(page, lambda: page.locator("video").evaluate("v => v.readyState") > 0)
    page.request.put(address, data={"position": 50})
    page.goto("about:blank")
    assert sent == []
    assert evening.position(page, FIRST) == 50


def test_sound_captions_loudness_and_speed_are_remembered(evening: Evening, visit: Visitor) -> None:
    page = visit()
    watch(page, evening, FIRST)
    video = page.locator("video")
    assert video.evaluate(SOUND) == ["eng"]
    assert video.evaluate(CUES) == []
    with page.expect_response(lambda answer: "/audio-1/" in answer.url and answer.ok):
        choose(page, "Sound", "Deutsch")
    until(page, lambda: video.evaluate(SOUND) == ["ger"])
    choose(page, "Captions", "Français")
    until(page, lambda: video.evaluate(CUES) == ["Bonsoir"])
    shot(page, "captions")
    choose(page, "Speed", "1.25")
    page.keyboard.press("ArrowDown")
    until(page, lambda: video.evaluate("v => v.volume") < 1)
    loudness = video.evaluate("v => v.volume")
    plays(page)

    watch(page, evening, SECOND)
    until(page, lambda: video.evaluate(CUES) == ["Bonsoir"])
    assert video.evaluate(SOUND) == ["ger"]
    assert video.evaluate("v => [v.volume, v.playbackRate]") == [loudness, 1.25]
    page.keyboard.press("c")
    until(page, lambda: video.evaluate(CUES) == [])
    page.keyboard.press("c")
    until(page, lambda: video.evaluate(CUES) == ["Bonsoir"])
    choose_by_keys(page, "Captions", "Off")
    until(page, lambda: video.evaluate(CUES) == [])
    page.keyboard.press("m")

    watch(page, evening, FIRST)
    assert video.evaluate("v => v.muted")
    assert video.evaluate(SOUND) == ["ger"]
    assert video.evaluate(CUES) == []


def test_the_machine_around_the_browser_knows_what_plays(evening: Evening, visit: Visitor) -> None:
    page = visit()
    watch(page, evening, FIRST)
    known = page.locator("video").evaluate(
        """() => { const { title, artist, artwork } = navigator.mediaSession.metadata;
                   return [title, artist, artwork[0].src]; }"""
    )
    assert known[:2] == ["Dusk", "Night Shift · S1 E1"]
    assert page.request.get(known[2]).headers["content-type"] == "image/jpeg"


KEYS_OF_THE_MACHINE = """
const set = navigator.mediaSession.setActionHandler.bind(navigator.mediaSession);
window.pressed = {};
navigator.mediaSession.setActionHandler = (name, act) => {
  window.pressed[name] = act;
  set(name, act);
};
"""
"""Keeps what the page set, since no program can press the keys of a headset."""


def test_the_keys_of_the_machine_move_the_film(evening: Evening, visit: Visitor) -> None:
    page = visit()
    page.add_init_script(KEYS_OF_THE_MACHINE)
    watch(page, evening, FIRST)

    def press(name: str, **details: float) -> None:
        page.evaluate("([name, details]) => window.pressed[name](details)", [name, details])

    press("pause")
    assert page.locator("video").evaluate("v => v.paused")
    press("seekto", seekTime=30)
    press("seekforward")
    assert clock(page) == 40
    press("seekbackward", seekOffset=25)
    assert clock(page) == 15
    press("play")
    plays(page)
    press("nexttrack")
    page.wait_for_url(f"**/watch/{SECOND}")


def test_each_key_of_the_list_does_what_it_says(evening: Evening, visit: Visitor) -> None:
    page = visit()
    watch(page, evening, FIRST)
    video = page.locator("video")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    shot(page, "keys")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.keyboard.press("k")
    until(page, lambda: video.evaluate("v => v.paused"))
    page.keyboard.press("5")
    until(page, lambda: abs(clock(page) - SECONDS / 2) < 1)
    for key, by in (("l", 10), ("ArrowRight", 10), ("j", -10), ("ArrowLeft", -10)):
        before = clock(page)
        page.keyboard.press(key)
        until(page, lambda before=before, by=by: abs(clock(page) - before - by) < 0.5)
    for key, back in (("l", "j"), ("ArrowRight", "ArrowLeft")):
        before = clock(page)
        for _ in range(2):  # held: the second is the key's repetition
            page.keyboard.down(key)
        page.keyboard.up(key)
        until(page, lambda before=before: abs(clock(page) - before - 20) < 0.5)
        page.keyboard.press(back)
        page.keyboard.press(back)
        until(page, lambda before=before: abs(clock(page) - before) < 0.5)
    page.keyboard.press("<")
    until(page, lambda: video.evaluate("v => v.playbackRate") == 0.75)
    page.keyboard.press("f")
    until(page, lambda: bool(video.evaluate("() => document.fullscreenElement")))
    page.keyboard.press("f")
    page.keyboard.press("n")
    page.wait_for_url(f"**/watch/{SECOND}")
    page.goto(f"{evening.site.url}/watch/{ALONE}")
    plays(page)
    page.keyboard.press("?")
    expect(page.get_by_text("Next episode")).to_be_hidden()


def test_a_film_that_is_no_episode_ends_with_what_one_could_do(
    evening: Evening, visit: Visitor
) -> None:
    page = visit()
    watch(page, evening, ALONE)
    card = page.get_by_role("region", name="Alone")
    expect(card.get_by_role("button", name="Watch again")).to_be_focused(timeout=20_000)
    expect(card.get_by_role("link", name="Back")).to_be_visible()
    shot(page, "end-alone")
    page.keyboard.press("Enter")
    plays(page)
    assert page.locator("[data-player]").get_attribute("data-stalls") == "0"


def test_a_link_plays_without_an_account_until_it_is_withdrawn(
    evening: Evening, visit: Visitor
) -> None:
    owner = visit()
    address = f"{evening.site.url}/api/videos/{FIRST}/share/"
    link = owner.request.post(address).json()["share_url"]
    page = visit(guest=True)
    asked: list[tuple[int, str]] = []
    page.on("response", lambda answer: asked.append((answer.status, answer.url)))
    answer = page.goto(link)
    assert answer
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    plays(page)
    page.mouse.move(640, 300)
    expect(page.locator("media-controller .player-top")).to_contain_text("Dusk")
    shot(page, "shared")
    seek(page, 40)
    plays(page)
    page.reload()
    plays(page)
    assert page.locator("video").evaluate("v => v.played.start(0)") > 38
    assert [one for one in asked if one[0] >= 400] == []
    assert [url for _, url in asked if "/api/" in url] == []
    assert page.get_by_role("link", name="Back").count() == 0

    stream = next(url for _, url in asked if url.endswith(".m4s"))
    playlist = next(url for _, url in asked if url.endswith("master.m3u8"))
    assert page.request.get(stream).ok
    assert owner.request.delete(address).ok
    for url in (stream, playlist, link, link.replace("/s/", "/api/shared/") + "/"):
        assert page.request.get(url).status == 404, url
    page.goto(link)
    expect(page.get_by_text("This link does not work any more.")).to_be_visible()
    shot(page, "shared-gone")


@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_in_the_player(evening: Evening, visit: Visitor, width: int) -> None:
    page = visit(bypass_csp=True, viewport={"width": width, "height": 740})
    link = page.request.post(f"{evening.site.url}/api/videos/{SECOND}/share/").json()["share_url"]
    found: list[str] = []
    for path in (f"{evening.site.url}/watch/{FIRST}", link):
        page.goto(path)
        plays(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.keyboard.press("k")
        bar = page.locator(".player-bar")
        until(page, lambda bar=bar: bar.evaluate("e => getComputedStyle(e).opacity") == "1")
        found += [f"{path}: {wrong}" for wrong in violations(page)]
        seek(page, SECONDS - 1)
        page.keyboard.press("k")
        expect(page.get_by_role("button", name="Watch again")).to_be_visible()
        cancel = page.get_by_role("button", name="Cancel")
        if cancel.is_visible():
            cancel.click()
        shot(page, f"end-{width}-{'shared' if path == link else 'own'}")
        found += [f"{path}, over: {wrong}" for wrong in violations(page)]
    assert found == [], "\n".join(["", *found])
