"""Pictures for the documents: the player, and each page on one sheet as it is seen everywhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

from playwright.sync_api import Browser, expect

from app.media.binary import ffmpeg_binary
from tests.browser.people import DEMO
from tests.browser.town import Town

SHEET = (
    "browse", "category", "search", "film", "series", "watch", "watch-end", "shared", "my-list",
    "my-videos", "edit", "upload", "account", "landing", "admin", "admin-people",
    "admin-conversions",
)  # fmt: skip
STRIP = ("browse", "search", "film", "watch-end", "my-videos")
SIZES_OF_A_SHEET = {"desktop": (486, 304), "phone": (140, 304)}
GAP, BETWEEN = 10, "0x808080"
QUALITY = "82"


def see_player(
    chromium: Browser, town: Town, folder: Path, sizes: dict[str, tuple[int, int]]
) -> None:
    """The player while it plays, at its end, and through a link."""
    for size, (width, height) in sizes.items():
        for person, path, name in (
            (DEMO, "/watch/1", "watch"),
            (DEMO, f"/watch/{town.film}", "watch-end"),
            (None, town.shared, "shared"),
        ):
            context = chromium.new_context(
                viewport={"width": width, "height": height},
                has_touch=size == "phone",
                storage_state=town.cookies[person] if person else None,
                locale="en-GB",
            )
            page = context.new_page()
            page.goto(f"{town.site.url}{path}")
            player, video = page.locator("[data-player]"), page.locator("video")
            expect(player).to_have_attribute("data-state", "playing", timeout=60_000)
            if name == "watch-end":
                video.evaluate("v => { v.currentTime = v.duration - 0.5; }")
                page.get_by_role("button", name="Watch again").wait_for(timeout=30_000)
            else:
                video.evaluate("v => { v.currentTime = v.duration * 0.6; }")
                page.wait_for_timeout(3000)
                page.mouse.move(width / 2, height / 2)
            page.wait_for_timeout(500)
            for scheme in ("dark", "light"):  # it is dark in both
                page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
            context.close()


def draw_sheets(chromium: Browser, folder: Path) -> None:
    """`sheets/NAME.webp` for each page; `catalogue.webp` and `phones.webp` for the README."""
    (folder / "sheets").mkdir(exist_ok=True)
    for name in SHEET:
        cells = [
            (folder / f"{name}-{size}-{scheme}.png", *SIZES_OF_A_SHEET[size])
            for size in ("desktop", "phone")
            for scheme in ("dark", "light")
        ]
        join(cells, folder / "sheets" / f"{name}.webp")
    phones = [(folder / f"{name}-phone-dark.png", 244, 528) for name in STRIP]
    join(phones, folder / "sheets" / "phones.webp")
    join([(folder / "browse-desktop-dark.png", 1280, 800)], folder / "sheets" / "catalogue.webp")


def join(cells: list[tuple[Path, int, int]], target: Path) -> None:
    """The pictures side by side, each as wide and high as wanted, with a small gap."""
    words = [word for path, _, _ in cells for word in ("-i", str(path))]
    steps = [
        f"[{number}:v]scale={width}:{height}:flags=lanczos,"
        f"pad={width + GAP}:{height}:{GAP // 2}:0:{BETWEEN}[c{number}]"
        for number, (_, width, height) in enumerate(cells)
    ]
    names = "".join(f"[c{number}]" for number in range(len(cells)))
    beside = f"hstack=inputs={len(cells)}," if len(cells) > 1 else ""
    whole = f"{names}{beside}crop=iw-{GAP}:ih"  # no gap around
    command = [ffmpeg_binary(None), "-nostdin", "-v", "error", "-y", *words]
    command += ["-filter_complex", ";".join([*steps, whole]), "-frames:v", "1"]
    subprocess.run([*command, "-c:v", "libwebp", "-quality", QUALITY, str(target)], check=True)
