"""Films in two places: where one of them is, its row says.

New films come to one of the two, `home`; `flask storage move` brings the others after them, one by
one, while all can be watched. What removes files does so in both.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from app.storage.base import Entry, Incoming, LocalFile, Part, Remote, Source, Storage

KNOWN_SECONDS: Final = 5.0
"""How long a process need not ask again where a film is."""

KNOWN_FILMS: Final = 10_000

Where = Callable[[str], str | None]
"""The place that a film's row names; None where no row has the film."""


class BothStorage:
    """`base.Storage` on two others, each with a place of its own."""

    def __init__(self, home: Storage, other: Storage) -> None:
        self.home, self._all = home, {form.place: form for form in (home, other)}
        self._where: Where = lambda _film: None
        self._known: dict[str, tuple[str | None, float]] = {}

    def ask(self, where: Where) -> None:
        """Let this tell where films are."""
        self._where = where

    @property
    def forms(self) -> Mapping[str, Storage]:
        """The two, by place."""
        return self._all

    @property
    def place(self) -> str:
        """Where new films come."""
        return self.home.place

    @property
    def look_seconds(self) -> int:
        """As the one that is looked through less often."""
        return max(form.look_seconds for form in self._all.values())

    def receive(self, name: str | None = None) -> Incoming:
        """New films come home."""
        return self.home.receive(name)

    def received(self, name: str) -> int | None:
        """As `receive`."""
        return self.home.received(name)

    def drop_received(self, name: str) -> None:
        """In both."""
        self._in_both(lambda form: form.drop_received(name))

    def adopt(self, source: Path, film: str, name: str, told: Callable[[int], None]) -> str:
        """New films come home."""
        return self.home.adopt(source, film, name, told)

    def link(self, source: Path, film: str) -> None:
        """New films come home."""
        self.home.link(source, film)

    def reading(
        self, film: str, name: str, part: Part | None = None
    ) -> AbstractContextManager[Source]:
        """Where the film is."""
        return self._of(film).reading(film, name, part)

    def bring(self, film: str, names: Sequence[str], place: Path) -> list[Path]:
        """Where the film is."""
        return self._of(film).bring(film, names, place)

    def read(self, film: str, name: str) -> bytes:
        """Where the film is; it may just have moved."""
        try:
            return self._of(film).read(film, name)
        except FileNotFoundError:
            return self._of(film, afresh=True).read(film, name)

    def blocks(self, film: str, name: str) -> Iterator[bytes]:
        """Where the film is."""
        return self._of(film).blocks(film, name)

    def write_blocks(self, film: str, name: str, blocks: Iterable[bytes]) -> None:
        """Where the film is."""
        self._of(film, afresh=True).write_blocks(film, name, blocks)

    def deliver(self, film: str, name: str) -> LocalFile | Remote | None:
        """Where the film is; it may just have moved."""
        found = self._of(film).deliver(film, name)
        return found or self._of(film, afresh=True).deliver(film, name)

    def scratch(self, film: str, attempt: str) -> Path:
        """Where the film is."""
        return self._of(film, afresh=True).scratch(film, attempt)

    def publish(self, film: str, files: Iterable[tuple[Path, str]]) -> None:
        """Where the film is."""
        self._of(film, afresh=True).publish(film, files)

    def drop_scratch(self, film: str, attempt: str) -> None:
        """In both."""
        self._in_both(lambda form: form.drop_scratch(film, attempt))

    def delete_film(self, film: str) -> None:
        """In both."""
        self._in_both(lambda form: form.delete_film(film))

    def keep_only(self, film: str, name: str) -> None:
        """In both."""
        self._in_both(lambda form: form.keep_only(film, name))

    def delete(self, film: str, name: str) -> None:
        """In both."""
        self._in_both(lambda form: form.delete(film, name))

    def films(self) -> Iterator[str]:
        """Of both."""
        seen: set[str] = set()
        for form in self._all.values():
            for film in form.films():
                if film not in seen:
                    seen.add(film)
                    yield film

    def entries(self, film: str) -> Iterator[Entry]:
        """Where the film is; of one without a row, in both."""
        if self._place_of(film, afresh=True) is None:
            for form in self._all.values():
                yield from form.entries(film)
        else:
            yield from self._of(film).entries(film)

    def entry(self, film: str, name: str) -> Entry | None:
        """Where the film is; of one without a row, in both."""
        if self._place_of(film, afresh=True) is not None:
            return self._of(film).entry(film, name)
        looks = (form.entry(film, name) for form in self._all.values())
        return next((found for found in looks if found is not None), None)

    def leftovers(self, older_than: float, owned: Container[str] = ()) -> Iterator[str]:
        """Of both, and films where their rows do not say they are: a move was stopped."""
        for form in self._all.values():
            yield from (f"{form.place}:{name}" for name in form.leftovers(older_than, owned))
        for form, film in self._misplaced(older_than):
            yield f"{form.place}:films/{film}"

    def sweep_incoming(self, older_than: float, owned: Container[str] = ()) -> int:
        """In both; and films where their rows do not say they are."""
        count = sum(form.sweep_incoming(older_than, owned) for form in self._all.values())
        for form, film in list(self._misplaced(older_than)):
            form.delete_film(film)
        return count

    def copies(self) -> Iterator[str]:
        """Of both."""
        for form in self._all.values():
            yield from form.copies()

    def drop_copies(self, film: str) -> None:
        """Of both."""
        self._in_both(lambda form: form.drop_copies(film))

    def free_bytes(self) -> int:
        """At home."""
        return self.home.free_bytes()

    def check(self) -> None:
        """At home."""
        self.home.check()

    def _of(self, film: str, *, afresh: bool = False) -> Storage:
        place = self._place_of(film, afresh=afresh)
        return self.home if place is None else self._all[place]

    def _place_of(self, film: str, *, afresh: bool) -> str | None:
        moment = time.monotonic()
        place, until = self._known.get(film, (None, 0.0))
        if afresh or until < moment:
            place = self._where(film)
            if len(self._known) >= KNOWN_FILMS:
                self._known.clear()
            self._known[film] = (place, moment + KNOWN_SECONDS)
        return place

    def _misplaced(self, older_than: float) -> Iterator[tuple[Storage, str]]:
        """Copies of films that a move left behind, or did not bring to its end."""
        limit = time.time() - older_than
        here, there = (set(form.films()) for form in self._all.values())
        for film in here & there:
            place = self._place_of(film, afresh=True)
            for form in self._all.values():
                if place in {None, form.place}:
                    continue
                found = form.entry(film, "")
                if found is not None and found.modified < limit:
                    yield form, film

    def _in_both(self, act: Callable[[Storage], None]) -> None:
        """Do it in both, also where one of them is away; then say so."""
        with contextlib.ExitStack() as stack:
            for form in self._all.values():
                stack.callback(act, form)
