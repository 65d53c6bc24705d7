from __future__ import annotations

import pytest

from app.auth.next_page import safe_next


@pytest.mark.parametrize("target", ["/", "/browse", "/videos/3?t=12", "/search?q=%2F%2Fx", "/a//b"])
def test_our_own_paths_are_followed(target: str) -> None:
    assert safe_next(target) == target


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "browse",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nSet-Cookie: a=b",
        "\t//evil.example",
        " //evil.example",
        "/ /evil.example",
        "https:evil.example",
        "https://evil.example",
        "HTTPS:/evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/\u2028/evil",
        "/\0",
        "/" + "x" * 3000,
    ],
)
def test_everything_else_is_refused(target: str | None) -> None:
    assert safe_next(target) is None
