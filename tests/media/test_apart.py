"""Probing in its own process: the same facts, and a film that breaks it breaks nothing else."""

from __future__ import annotations

import contextlib
import json
import pickle
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.media.apart import LIMITS, probe_apart
from app.media.encoding import refused, told, understand
from app.media.errors import MediaError, Stopped, not_a_film
from app.media.probe import probe
from tests.media.conftest import Clip
from tests.media.playback import never


@pytest.fixture(scope="session")
def bomb(make_clip: Clip) -> Path:
    """47 kB that say they are sixty million pictures: their index is two gigabytes."""
    made = make_clip(
        "raw.mov", ["-f", "lavfi", "-i", "testsrc2=s=16x16:r=60:d=1", "-c:v", "rawvideo",
                    "-pix_fmt", "rgb24"],
    )  # fmt: skip
    data, count = bytearray(made.read_bytes()), 60_000_000
    for table, place in ((b"stts", 8), (b"stsc", 12), (b"stsz", 8)):
        struct.pack_into(">I", data, data.index(table) + 4 + place, count)
    path = made.with_name("bomb.mov")
    path.write_bytes(data)
    return path


def test_the_facts_are_the_same(film: Path, webm: Path) -> None:
    for path in (film, webm):
        assert probe_apart(path, stop=never) == probe(path)


@pytest.mark.slow
def test_the_facts_of_real_films_are_the_same(corpus: Path) -> None:
    def of(look: Callable[[Path], Any], path: Path) -> Any:
        try:
            return look(path)
        except MediaError as error:
            return (error.code, error.message, error.hint, error.permanent)

    for folder in ("real", "derived"):
        for path in sorted((corpus / folder).iterdir()):
            assert of(lambda p: probe_apart(p, stop=never), path) == of(probe, path), path.name


def test_a_refusal_keeps_its_words(tmp_path: Path) -> None:
    upload = tmp_path / "upload.mp4"
    upload.write_text("no film")
    with pytest.raises(MediaError) as caught:
        probe_apart(upload, stop=never)
    wanted = not_a_film()
    assert (caught.value.code, caught.value.message) == (wanted.code, wanted.message)
    assert caught.value.permanent


def test_a_film_that_wants_too_much_memory_does_not_get_it(bomb: Path) -> None:
    worker = psutil.Process().memory_info().rss
    with pytest.raises(MediaError) as caught:
        probe_apart(bomb, stop=never)
    assert caught.value.code in {"damaged", "too_many_streams", "too_demanding", "too_long"}
    assert caught.value.message
    assert psutil.Process().memory_info().rss - worker < 100 << 20


def test_a_film_that_takes_too_long_is_ended(bomb: Path) -> None:
    with pytest.raises(MediaError) as caught:
        probe_apart(bomb, stop=never, limits=replace(LIMITS, memory=4 << 30, cpu_seconds=1))
    assert (caught.value.code, caught.value.permanent) == ("too_demanding", False)


def test_a_film_that_kills_it_is_an_error_like_others(bomb: Path) -> None:
    def kill() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for child in psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    if any("prober" in word for word in child.cmdline()):
                        child.kill()
                        return

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(MediaError) as caught:
        probe_apart(bomb, stop=never, limits=replace(LIMITS, memory=4 << 30))
    killer.join()
    assert (caught.value.code, caught.value.permanent) == ("damaged", False)


def test_it_stops_when_told(film: Path) -> None:
    with pytest.raises(Stopped):
        probe_apart(film, stop=lambda: True)


def changed(film: Path, change: Callable[[dict[str, Any]], object]) -> bytes:
    answer = json.loads(told(probe(film)))
    change(answer)
    return json.dumps(answer).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a["facts"]["video"].update(width="1; -i /etc/passwd"),
        lambda a: a["facts"]["video"].update(width=True),
        lambda a: a["facts"]["video"].update(rate=[1, 0]),
        lambda a: a["facts"]["video"].update(rate=[1]),
        lambda a: a["facts"]["video"]["frames"].update(pts="AAA="),
        lambda a: a["facts"]["video"].update(more=1),
        lambda a: a["facts"].update(duration=float("nan")),
        lambda a: a["facts"].update(duration="9"),
        lambda a: a["facts"].update(audio={"0": 1}),
        lambda a: a["facts"].update(video=[]),
        lambda a: a.update(facts=None),
        lambda a: a.clear(),
    ],
)
def test_an_answer_that_is_none_is_not_understood(
    film: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of many kinds
        understand(changed(film, change))


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"5", b'"x"', pickle.dumps({})])
def test_what_is_no_answer_is_not_understood(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of many kinds
        understand(text)


def test_an_answer_is_understood(film: Path) -> None:
    assert understand(told(probe(film)).encode()) == probe(film)
    with pytest.raises(MediaError, match="not_a_film"):
        understand(refused(not_a_film("why")).encode())
