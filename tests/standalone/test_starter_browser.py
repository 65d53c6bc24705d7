"""The vendored modules load in a real browser, from plain files, without a bundler."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from standalone import assets

PAGE = """<!doctype html><link rel="icon" href="data:,"><script type="module">
const modules = await Promise.all([
  import("/vendor/media-chrome/index.js"), import("/vendor/media-chrome/menu/index.js"),
  import("/vendor/media-tracks/index.js"), import("/vendor/hls.js/hls.mjs"),
]);
window.result = [modules[3].default.isSupported(), !!customElements.get("media-controller"),
  !!customElements.get("media-rendition-menu")];
</script>"""


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.browser
@pytest.mark.skipif(not assets.MODULES.is_dir(), reason="`make assets` has not run")
def test_the_player_loads_without_an_error(chromium: Browser, tmp_path: Path) -> None:
    assets.copy_packages(assets.MODULES, tmp_path / "vendor", "")
    (tmp_path / "page.html").write_text(PAGE)
    handler = functools.partial(Files, directory=tmp_path)
    complaints: list[str] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = chromium.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.server_port}/page.html")
        page.wait_for_function("window.result", timeout=30_000)
        assert page.evaluate("window.result") == [True] * 3
        page.close()
        server.shutdown()
    assert complaints == []
