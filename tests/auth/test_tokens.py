from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from apiflask import APIFlask

from app.auth import tokens
from app.auth.tokens import Purpose, TokenExpired, TokenInvalid

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _context(app: APIFlask) -> Iterator[None]:
    with app.app_context():
        yield


def test_a_token_carries_its_payload() -> None:
    assert tokens.read(Purpose.ACCESS, tokens.sign(Purpose.ACCESS, [1, "x"]), HOUR) == [1, "x"]


def test_a_token_serves_one_purpose() -> None:
    for made in Purpose:
        token = tokens.sign(made, [1])
        for wanted in set(Purpose) - {made}:
            with pytest.raises(TokenInvalid):
                tokens.read(wanted, token, HOUR)


def test_changing_any_byte_makes_a_token_invalid() -> None:
    uid, token = tokens.link_parts(Purpose.RESET, 12, "state")
    assert tokens.read_link(Purpose.RESET, uid, token, HOUR)[0] == 12
    for at, old in enumerate(token):
        for new in {"A", "b", "_", ".", "!", "é", ""} - {old}:
            with pytest.raises(TokenInvalid):
                tokens.read_link(Purpose.RESET, uid, token[:at] + new + token[at + 1 :], HOUR)
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=":
        if last != token[-1]:  # base64 has spare bits: some of these would decode alike
            with pytest.raises(TokenInvalid):
                tokens.read_link(Purpose.RESET, uid, token[:-1] + last, HOUR)


@pytest.mark.parametrize("text", ["", ".", "..", "...", "a.b.c", "\0", "\ud800", "W10", "x" * 9999])
def test_what_is_no_token_is_invalid(text: str) -> None:
    with pytest.raises(TokenInvalid):
        tokens.read(Purpose.RESET, text, HOUR)


def test_the_readable_and_the_signed_id_must_match() -> None:
    uid, token = tokens.link_parts(Purpose.RESET, 12, "state")
    other, _ = tokens.link_parts(Purpose.RESET, 13, "state")
    for wrong in (other, uid + "=", uid + "A", "", "12", "é"):
        with pytest.raises(TokenInvalid):
            tokens.read_link(Purpose.RESET, wrong, token, HOUR)


def test_a_token_expires(later: Callable[[timedelta], None]) -> None:
    token = tokens.sign(Purpose.ACCESS, [1])
    later(HOUR + timedelta(seconds=2))
    with pytest.raises(TokenExpired):
        tokens.read(Purpose.ACCESS, token, HOUR)
    assert tokens.read(Purpose.ACCESS, token, None) == [1]


def test_the_state_is_bound_and_not_readable() -> None:
    uid, token = tokens.link_parts(Purpose.RESET, 12, "$argon2id$secret")
    _, fingerprint = tokens.read_link(Purpose.RESET, uid, token, HOUR)
    assert tokens.same_state(Purpose.RESET, fingerprint, "$argon2id$secret")
    assert not tokens.same_state(Purpose.RESET, fingerprint, "$argon2id$other")
    assert not tokens.same_state(Purpose.VERIFY, fingerprint, "$argon2id$secret")
