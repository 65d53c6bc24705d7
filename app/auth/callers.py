"""Whom `app.limits` counts a request for: the account it names, the account it is made by."""

from __future__ import annotations

from collections.abc import Mapping

from flask import request

from app.auth.addresses import NotAnAddress, normal_email
from app.auth.identity import current_identity, current_user_or_none
from app.auth.models import ApiToken
from app.limits import address_key, private_key


def named_account() -> str:
    """The account whose address is in the request, whether there is one or not."""
    return private_key(_named_address())


def own_account() -> str:
    """The account that asks, as `named_account` would call it."""
    user = current_user_or_none()
    return private_key(user.email if user else "")


def new_address() -> str:
    """The address in the request where an account that is signed in asks for a mail to it."""
    return private_key(_named_address()) or own_account()


def caller() -> str:
    """Whoever asks: an API token, an account, or an address of the network."""
    found = current_identity()
    if found is None:
        return f"address {address_key()}"
    kind = "token" if isinstance(found.row, ApiToken) else "account"
    return f"{kind} {found.row.id if kind == 'token' else found.user.id}"


def _named_address() -> str:
    try:
        body = request.get_json(silent=True) if request.is_json else request.form
        text = body.get("email") if isinstance(body, Mapping) else None
        return normal_email(text) if isinstance(text, str) else ""
    except (NotAnAddress, RecursionError):
        return ""
