from __future__ import annotations

import pytest

from app.auth.addresses import NotAnAddress, normal_email, smtp_address, username_of


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  Ada@Example.COM\t", "ada@example.com"),
        ("\uff41\uff44\uff41@example.com", "ada@example.com"),
        ("ada+films@example.com", "ada+films@example.com"),
        ("ada@EXÄMPLE.com", "ada@exämple.com"),
        ("ada@xn--exmple-cua.com", "ada@exämple.com"),
    ],
)
def test_an_address_has_one_spelling(given: str, stored: str) -> None:
    assert normal_email(given) == stored
    assert normal_email(stored) == stored


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@localhost",
        "ada@@example.com",
        "ada@example.com\n",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada\r@example.com",
        "ada\u2028@example.com",
        "ada\0@example.com",
        "\ud800@example.com",
        "\u0430da@example.com",  # the first letter is Cyrillic
        "Ada <ada@example.com>",
        "ada@example.com,eve@example.com",
        "ada@[127.0.0.1]",
        "a" * 250 + "@example.com",
        "ada@" + "a." * 130 + "com",
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(NotAnAddress):
        normal_email(given)


def test_mail_goes_to_the_address_in_ascii() -> None:
    assert smtp_address("ada@exämple.com") == "ada@xn--exmple-cua.com"


def test_a_name_is_what_stands_before_the_at_sign() -> None:
    assert username_of("ada.lovelace+films@example.com") == "ada.lovelace"
