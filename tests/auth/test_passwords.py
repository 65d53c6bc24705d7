from __future__ import annotations

import time
from statistics import median

import pytest
from argon2 import PasswordHasher

from app.auth import passwords

pytestmark = pytest.mark.usefixtures("true_hashes")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse",
        "        x",
        " spaces at both ends ",
        "Пароль из слов",
        "🎬🍿🎥📽️🎞️🎦🎫🎭",
        "x" * 255 + "y",
    ],
)
def test_any_character_counts(password: str) -> None:
    assert passwords.problems(password) == []
    assert passwords.verify(passwords.hash_password(password), password)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short12",
        "ab" * 129,
        "x" * 1_000_000,
        "password",
        "PassWord1",
        "12345678",
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44",
        "aaaaaaaaaaaa",
        "correcthorsebatterystaple",
        "videoflix",
        "ada@example.com",
        "ADA@example.com",
        "\ud800bcdefgh",
    ],
)
def test_what_is_short_long_or_known_is_refused(password: str) -> None:
    assert len(passwords.problems(password, "ada@example.com")) == 1


def test_the_list_is_long_enough_to_matter() -> None:
    assert len(passwords._common()) >= 200
    assert all(len(word) >= passwords.MIN_LENGTH for word in passwords._common())


def test_nothing_is_trimmed() -> None:
    stored = passwords.hash_password(" correct horse")
    assert passwords.verify(stored, " correct horse")
    assert not passwords.verify(stored, "correct horse")


def test_two_ways_to_type_one_character_are_one_password() -> None:
    assert passwords.verify(passwords.hash_password("cafe\u0301 au lait"), "caf\u00e9 au lait")


def test_it_is_argon2id_with_a_salt_of_its_own() -> None:
    first, second = (passwords.hash_password("correct horse") for _ in range(2))
    assert first.startswith("$argon2id$")
    assert first != second


@pytest.mark.parametrize("stored", ["", "garbage", "$argon2id$v=19$m=1$x$y"])
def test_a_broken_hash_opens_nothing(stored: str) -> None:
    assert not passwords.verify(stored, "correct horse")


def test_no_hash_and_a_very_long_password_open_nothing() -> None:
    assert not passwords.verify(None, "correct horse")
    stored = passwords.hash_password("x" * passwords._MAX_RAW)
    assert not passwords.verify(stored, "x" * (passwords._MAX_RAW + 1))


def test_a_hash_with_old_parameters_is_outdated() -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("correct horse")
    assert passwords.is_outdated(old)
    assert passwords.verify(old, "correct horse")
    assert not passwords.is_outdated(passwords.hash_password("correct horse"))


def test_no_account_takes_the_time_of_one() -> None:
    stored = passwords.hash_password("correct horse")
    spent: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(9):
        for known in (True, False):
            begun = time.process_time()
            passwords.verify(stored if known else None, "a wrong guess")
            spent[known].append(time.process_time() - begun)
    assert 0.75 < median(spent[True]) / median(spent[False]) < 1.33
