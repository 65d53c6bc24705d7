"""What can go wrong with accounts, beyond wrong fields."""

from __future__ import annotations

from app.errors import DomainError


class WrongCredentials(DomainError):
    """Address and password do not open an account; the same words whatever the reason."""

    status = 401
    code = "wrong_credentials"

    def __init__(self) -> None:
        super().__init__(
            "This address and password do not match, or the address is not confirmed yet "
            "(the link is in the mail we sent)."
        )


class LinkInvalid(DomainError):
    """A mailed link was used, replaced, changed or is not ours."""

    code = "link_invalid"

    def __init__(self) -> None:
        super().__init__("This link was used already, was replaced by a newer one, or is damaged.")


class LinkExpired(DomainError):
    """A mailed link is genuine but too old."""

    code = "link_expired"

    def __init__(self) -> None:
        super().__init__("This link is too old.")
