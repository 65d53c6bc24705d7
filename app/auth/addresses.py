"""E-mail addresses: one spelling for each, and the name that is made from it."""

from __future__ import annotations

import unicodedata

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

# Families and companies run their own mail under names that the Internet does not know; the
# package's documentation names this list as the place to say so.
SPECIAL_USE_DOMAIN_NAMES[:] = [n for n in SPECIAL_USE_DOMAIN_NAMES if n not in {"local", "test"}]

MAX_LENGTH = 254
"""Longest address that SMTP carries (RFC 3696, erratum 1690)."""


class NotAnAddress(ValueError):
    """The text is no address that mail can be sent to."""


def normal_email(text: str) -> str:
    """The one spelling of an address: trimmed, NFKC, lower case, the domain in Unicode.

    Raises NotAnAddress. Domains may be international; the part before the @ is ASCII, since few
    servers take anything else and look-alikes would make two accounts of one name.
    """
    trimmed = text.strip(" \t")
    if not trimmed.isprintable():  # CR and LF too: they never come near a mail header
        raise NotAnAddress("control characters")
    candidate = unicodedata.normalize("NFKC", trimmed).lower()
    try:
        found = validate_email(candidate, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise NotAnAddress(str(error)) from None
    address = found.normalized.lower()
    if len(address) > MAX_LENGTH or len(found.ascii_email or "") > MAX_LENGTH:
        raise NotAnAddress("too long")
    return address


def smtp_address(address: str) -> str:
    """The same address in ASCII, as SMTP and mail headers want it."""
    found = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    return found.ascii_email or address


def username_of(address: str) -> str:
    """The name people see, until its owner chooses another: what stands before the @."""
    return address.partition("@")[0].partition("+")[0][:80] or "member"
