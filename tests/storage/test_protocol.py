"""What every form of storage does alike, on the disk and in buckets of two servers."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.storage import growing
from app.storage.base import HEAD_BYTES, Incoming, LocalFile, Part, Storage, StorageAway
from app.storage.bucket import Bucket
from app.storage.incoming import LocalIncoming
from app.storage.s3 import S3Storage
from app.storage.scratch import Scratch

from .conftest import PART, in_bucket
from .servers import Server

FILM = "f" * 32
DATA = random.Random(7).randbytes(2 * PART + 12345)  # noqa: S311 - bytes that differ
Told = Callable[[int], None]


def names(form: Storage, film: str = FILM) -> set[str]:
    return {entry.name for entry in form.entries(film) if not entry.is_folder}


def published(form: Storage, **files: bytes) -> None:
    place = form.scratch(FILM, "1-1")
    for name, data in files.items():
        (place / name).write_bytes(data)
    form.publish(FILM, [(place / name, f"grid-1/360p/{name}.m4s") for name in files])
    form.drop_scratch(FILM, "1-1")


def receive(form: Storage, data: bytes, name: str = FILM) -> None:
    incoming = form.receive(name)
    for at in range(0, len(data), 2**16):
        incoming.write(data[at : at + 2**16])
    incoming.sync()
    incoming.keep(name)
    form.drop_received(name)


def killed(incoming: Incoming) -> None:
    """As of a process that was killed: nothing is written down any more."""
    if isinstance(incoming, LocalIncoming):
        incoming._file.close()


def test_a_film_comes_in_is_worked_on_and_leaves_nothing(form: Storage, tmp_path: Path) -> None:
    receive(form, DATA)
    original = form.entry(FILM, "original")
    assert original is not None
    assert (original.bytes, original.is_folder) == (len(DATA), False)
    with form.reading(FILM, "original") as source:
        assert source.path.read_bytes() == DATA
        assert source.bytes == len(DATA)
    assert b"".join(form.blocks(FILM, "original")) == DATA
    published(form, a=b"first", b=b"second")
    assert names(form) == {"original", "grid-1/360p/a.m4s", "grid-1/360p/b.m4s"}
    assert form.read(FILM, "grid-1/360p/b.m4s") == b"second"
    brought = form.bring(FILM, ["grid-1/360p/b.m4s", "grid-1/360p/a.m4s"], tmp_path)
    assert [path.read_bytes() for path in brought] == [b"second", b"first"]
    folder = form.entry(FILM, "grid-1")
    assert folder is not None
    assert folder.is_folder
    assert list(form.films()) == [FILM]
    form.delete(FILM, "grid-1")
    assert names(form) == {"original"}
    published(form, c=b"third")
    form.keep_only(FILM, "original")
    assert names(form) == {"original"}
    form.delete_film(FILM)
    assert list(form.films()) == []
    assert form.entry(FILM, "") is None
    assert list(form.copies()) == []


@pytest.mark.parametrize("name", ["original", "grid-1/360p/0.m4s"])
def test_what_is_not_there_is_missing(form: Storage, name: str, tmp_path: Path) -> None:
    assert form.entry(FILM, name) is None
    assert list(form.entries(FILM)) == []
    assert form.received(FILM) is None
    for act in (
        lambda: form.read(FILM, name),
        lambda: list(form.blocks(FILM, name)),
        lambda: form.bring(FILM, [name], tmp_path),
    ):
        with pytest.raises(FileNotFoundError):
            act()
    form.delete(FILM, name)
    form.delete_film(FILM)
    form.drop_received(FILM)


def test_an_upload_goes_on_elsewhere_true_to_the_byte(form: Storage) -> None:
    cuts = [0, 3, 70_000, PART + 1, PART + 2, 2 * PART + 5, len(DATA)]
    for begin, end in itertools.pairwise(cuts):
        assert (form.received(FILM) or 0) == begin
        incoming = form.receive(FILM)
        assert incoming.size == begin
        incoming.write(DATA[begin:end])
        assert incoming.head(1024) == DATA[: min(end, 1024)]
        incoming.close()
    incoming = form.receive(FILM)
    incoming.sync()
    incoming.keep(FILM)
    form.drop_received(FILM)
    assert b"".join(form.blocks(FILM, "original")) == DATA
    assert form.received(FILM) is None
    assert list(form.leftovers(-10)) == []


@pytest.mark.parametrize("bad", [10, PART + 10])
def test_bytes_that_are_held_back_never_came(form: Storage, bad: int) -> None:
    begin = 2 * PART - 7
    incoming = form.receive(FILM)
    incoming.write(DATA[:begin])
    incoming.close()
    incoming = form.receive(FILM)
    incoming.hold_back()
    incoming.write(b"x" * bad)
    assert form.received(FILM) == begin
    killed(incoming)
    incoming = form.receive(FILM)
    assert incoming.size == begin
    incoming.hold_back()
    incoming.write(b"y" * bad)
    incoming.rewind(begin)
    incoming.hold_back()
    incoming.write(DATA[begin:])
    incoming.accept()
    incoming.close()
    assert form.received(FILM) == len(DATA)
    incoming = form.receive(FILM)
    incoming.keep(FILM)
    form.drop_received(FILM)
    assert b"".join(form.blocks(FILM, "original")) == DATA


def test_who_died_after_the_last_byte_is_understood(form: Storage) -> None:
    incoming = form.receive(FILM)
    incoming.write(DATA)
    incoming.sync()
    incoming.keep(FILM)  # and dies before it could say so
    if form.received(FILM) is not None:
        again = form.receive(FILM)
        assert again.size == len(DATA)
        again.sync()
        again.keep(FILM)
    form.drop_received(FILM)
    assert b"".join(form.blocks(FILM, "original")) == DATA


def test_an_upload_that_is_given_up_leaves_nothing(form: Storage) -> None:
    incoming = form.receive(FILM)
    incoming.write(DATA[: PART + 5])
    incoming.close()
    form.drop_received(FILM)
    assert form.received(FILM) is None
    incoming = form.receive()
    incoming.write(DATA[: PART + 5])
    incoming.discard()
    assert list(form.leftovers(-10)) == []
    assert not any(list(form.entries(film)) for film in form.films())


def test_an_upload_that_nobody_owns_is_swept(form: Storage) -> None:
    for name in ("a" * 32, "b" * 32):
        incoming = form.receive(name)
        incoming.write(DATA[: PART + 5])
        incoming.close()
    assert form.sweep_incoming(-10, {"a" * 32}) == 1
    assert form.received("a" * 32) == PART + 5
    assert form.received("b" * 32) is None
    assert list(form.leftovers(-10, {"a" * 32})) == []


def test_a_file_of_this_machine_becomes_a_film(form: Storage, tmp_path: Path) -> None:
    source = tmp_path / "film.mkv"
    source.write_bytes(DATA)
    told: list[int] = []
    digest = form.adopt(source, FILM, "abc", told.append)
    assert digest == hashlib.sha256(DATA).hexdigest()
    assert sum(told) == len(DATA)
    assert b"".join(form.blocks(FILM, "original")) == DATA

    def stop(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        form.adopt(source, "e" * 32, "abc", stop)
    assert list(form.films()) == [FILM]


def test_blocks_become_a_file_whole_or_not_at_all(form: Storage) -> None:
    form.write_blocks(FILM, "grid-1/360p/0.m4s", iter([DATA[:PART], DATA[PART:]]))
    assert b"".join(form.blocks(FILM, "grid-1/360p/0.m4s")) == DATA

    def broken() -> object:
        yield DATA
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        form.write_blocks(FILM, "grid-1/360p/1.m4s", broken())  # type: ignore[arg-type]
    assert names(form) == {"grid-1/360p/0.m4s"}
    assert list(form.leftovers(-10)) == []


def test_it_says_that_it_works(form: Storage) -> None:
    form.check()
    assert form.free_bytes() > 0


def test_a_viewer_gets_a_range(form: Storage) -> None:
    receive(form, DATA[:5])
    published(form, a=DATA[:1000])
    found = form.deliver(FILM, "grid-1/360p/a.m4s")
    assert found is not None
    if isinstance(found, LocalFile):
        assert found.path.read_bytes() == DATA[:1000]
        return
    answer = found.open({"Range": "bytes=10-19", "Cookie": "secret"})
    assert (answer.status, b"".join(answer.body)) == (206, DATA[10:20])
    assert answer.headers["Content-Range"] == "bytes 10-19/1000"
    assert answer.headers["Content-Length"] == "10"
    missing = form.deliver(FILM, "grid-1/360p/b.m4s")
    assert missing is not None
    with pytest.raises(FileNotFoundError):
        missing.open({})  # type: ignore[union-attr]


@pytest.fixture
def remote(rclone: Server, prefix: str, tmp_path: Path) -> S3Storage:
    return in_bucket(rclone, prefix, tmp_path)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each call has read out of a bucket."""
    fetched: list[int] = []
    read = Bucket.read

    def counted(self: Bucket, key: str, start: int = 0, length: int | None = None) -> bytes:
        data = read(self, key, start, length)
        fetched.append(len(data))
        return data

    monkeypatch.setattr(Bucket, "read", counted)
    return fetched


def test_an_original_is_fetched_once_for_all(remote: S3Storage, fetched: list[int]) -> None:
    receive(remote, DATA)
    fetched.clear()
    found: list[bytes] = []

    def work() -> None:
        with remote.reading(FILM, "original") as source:
            found.append(source.path.read_bytes())

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [DATA] * 4
    assert sum(fetched) == len(DATA)


RANGE = 100_000


@pytest.fixture
def held(remote: S3Storage, fetched: list[int], monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    """A bucket with a film of which nothing has been fetched yet; that is done in small ranges."""
    monkeypatch.setattr(growing, "RANGE_BYTES", RANGE)
    receive(remote, DATA)
    fetched.clear()
    return remote


def test_only_the_part_that_is_needed_is_fetched(held: S3Storage, fetched: list[int]) -> None:
    begin, end = 50 * RANGE, 53 * RANGE + 7
    with held.reading(FILM, "original", Part(RANGE + 1)) as front:
        assert front.bytes == sum(fetched) == 2 * RANGE, "whole ranges"
        assert front.path.read_bytes() == DATA[: 2 * RANGE]
        with held.reading(FILM, "original", Part(end, begin, front=2000)) as far:
            assert far.bytes == 2000
            data = far.path.read_bytes()
            assert data[:2000] == DATA[:2000]
            assert data[begin:] == DATA[begin:end], "and there it ends"
            assert not any(data[2000:begin])
            assert sum(fetched) == 2 * RANGE + end - begin
        assert not far.path.exists()
        with held.reading(FILM, "original", Part(4 * RANGE, 3 * RANGE)) as near:
            assert near.path.read_bytes() == DATA[: 4 * RANGE], "the front grows"
            assert near.path.samefile(front.path)
        with held.reading(FILM, "original") as whole:
            assert whole.path.read_bytes() == DATA
        assert front.path.read_bytes() == DATA, "who read the front can go on"
    assert sum(fetched) == len(DATA) + end - begin
    with held.reading(FILM, "original", Part(10)) as again:
        assert again.bytes == len(DATA), "it is there already"
    held.delete_film(FILM)
    assert list(held.copies()) == []


def test_the_end_of_a_file_comes_before_its_middle(held: S3Storage, fetched: list[int]) -> None:
    back = len(DATA) - RANGE - 5
    with held.reading(FILM, "original", Part(RANGE + 1, back=back)) as near:
        assert near.bytes == 2 * RANGE
        data = near.path.read_bytes()
        assert (data[: 2 * RANGE], data[back:]) == (DATA[: 2 * RANGE], DATA[back:])
        assert not any(data[2 * RANGE : back])
        assert sum(fetched) == 2 * RANGE + len(DATA) - back
    begin, end = 50 * RANGE, 53 * RANGE + 7
    with held.reading(FILM, "original", Part(end, begin, 2000, back)) as far:
        data = far.path.read_bytes()
        assert data[:2000] == DATA[:2000]
        assert data[begin:end] == DATA[begin:end]
        assert data[back:] == DATA[back:]
        assert not any(data[2000:begin] + data[end:back])
        assert sum(fetched) == 2 * RANGE + len(DATA) - back + end - begin
    for wanted in (Part(len(DATA) - 5, back + RANGE, 2000, back), Part(len(DATA), back=back)):
        with held.reading(FILM, "original", wanted) as last:
            data = last.path.read_bytes()
            assert data[wanted.begin :] == DATA[wanted.begin :]
    with held.reading(FILM, "original") as whole:
        assert whole.path.read_bytes() == DATA


def test_who_dies_while_the_end_comes_is_followed_by_another(
    held: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = len(DATA) - 6 * RANGE
    child = os.fork()
    if child == 0:
        fetch = Bucket.read

        def dying(bucket: Bucket, key: str, start: int, length: int) -> bytes:
            if start >= back + 4 * RANGE:
                os._exit(0)
            return fetch(bucket, key, start, length)

        monkeypatch.setattr(Bucket, "read", dying)
        held.reading(FILM, "original", Part(RANGE, back=back)).__enter__()
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    with held.reading(FILM, "original", Part(RANGE, back=back)) as source:
        data = source.path.read_bytes()
        assert (data[:RANGE], data[back:]) == (DATA[:RANGE], DATA[back:])
    with held.reading(FILM, "original") as whole:
        assert whole.path.read_bytes() == DATA


def test_a_file_is_read_while_it_comes_in(form: Storage, fetched: list[int]) -> None:
    incoming = form.receive(FILM)
    incoming.write(DATA[:5000])
    incoming.share()
    incoming.write(DATA[5000 : PART + 9000])
    there = incoming.shared
    assert PART <= there <= PART + 9000
    assert incoming.head(PART - 5) == DATA[: PART - 5]
    incoming.close()
    incoming = form.receive(FILM)
    assert incoming.shared >= there, "it stays so, whoever goes on"
    incoming.show(FILM)
    with form.reading(FILM, "original") as source:
        assert source.bytes >= there
        assert source.path.read_bytes()[:there] == DATA[:there]
        incoming.write(DATA[PART + 9000 :])
        incoming.sync()
        incoming.keep(FILM)
        form.drop_received(FILM)
        fetched.clear()
        with form.reading(FILM, "original") as whole:
            assert whole.path.read_bytes() == DATA
        if fetched:
            assert sum(fetched) <= len(DATA) - there, "what was there is not fetched again"
    assert names(form) == {"original"}


def test_a_file_that_is_not_shared_cannot_be_read_before_its_end(remote: S3Storage) -> None:
    incoming = remote.receive(FILM)
    incoming.write(DATA)
    assert incoming.shared == 0
    assert incoming.head(9000) == DATA[:HEAD_BYTES]
    with pytest.raises(FileNotFoundError), remote.reading(FILM, "original"):
        pass
    incoming.share()
    assert incoming.shared == 0, "its first parts cannot be read"


def test_copies_take_no_more_room_than_they_may(
    rclone: Server, prefix: str, tmp_path: Path
) -> None:
    room = Scratch(tmp_path / "scratch", 3000)
    small = S3Storage(Bucket(rclone.account()), prefix, room, part_bytes=PART)
    films = [letter * 32 for letter in "abc"]
    for film in films:
        receive(small, DATA[:1400], film)
    with small.reading(films[0], "original"):
        with small.reading(films[1], "original") as source:
            assert set(small.copies()) == set(films[:2])
            with pytest.raises(StorageAway), small.reading(films[2], "original"):
                pass
            assert source.path.read_bytes() == DATA[:1400]
        with small.reading(films[2], "original") as source:
            assert source.path.read_bytes() == DATA[:1400]
            assert films[1] not in small.copies(), "the one that nobody reads went"
    large = "d" * 32
    receive(small, DATA[:5000], large)
    with small.reading(large, "original") as source:
        assert source.path.read_bytes() == DATA[:5000], "alone it may be larger than all the room"
    assert list(small.copies()) == [large]


def test_what_the_dead_left_on_this_machine_is_swept(
    remote: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(remote, DATA)
    mine = remote.scratch(FILM, "1-1")
    (tmp_path / "scratch" / "an-earlier-boot" / "copies").mkdir(parents=True)
    child = os.fork()
    if child == 0:
        remote.scratch(FILM, "2-1")
        monkeypatch.setattr(growing, "RANGE_BYTES", RANGE)
        reading = remote.reading(FILM, "original", Part(60 * RANGE, 59 * RANGE))
        reading.__enter__()
        os._exit(0)
    os.waitpid(child, 0)
    parts = [*(tmp_path / "scratch").glob("*/copies/*/parts/*")]
    assert len(parts) == 1
    for place in [*mine.parent.iterdir(), *parts]:
        os.utime(place, (time.time() - 1000,) * 2)
    remote.sweep_incoming(3600)
    assert not parts[0].exists()
    assert [place.name for place in mine.parent.iterdir()] == ["1-1"]
    assert len(list((tmp_path / "scratch").iterdir())) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"secret": "wrong-secret"}, "S3_SECRET_KEY"), ({"bucket": "nobody"}, "S3_BUCKET")],
)
def test_what_is_wrong_is_said(
    rclone: Server, tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    bucket = Bucket(rclone.account(**wrong))  # type: ignore[arg-type]
    form = S3Storage(bucket, "", Scratch(tmp_path, 0), part_bytes=PART)
    with pytest.raises(StorageAway) as error:
        form.check()
    assert said in str(error.value.strerror)
    assert "secret" not in str(error.value.strerror)
