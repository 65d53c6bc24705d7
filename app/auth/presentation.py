"""An account, its sessions and its tokens as their owner sees them: one dictionary each, for the
API, the pages and the export alike."""

from __future__ import annotations

from typing import Any

from app.auth.belongings import used_bytes
from app.auth.devices import device
from app.auth.models import ApiToken, Session, User
from app.auth.quotas import quota_of
from app.formatting import rfc3339


def person(user: User) -> dict[str, Any]:
    """An account as its owner sees it after signing in, as `schemas.Person`."""
    return {"id": user.id, "username": user.username, "email": user.email}


def describe_profile(user: User) -> dict[str, Any]:
    """An account as its owner sees it, as `schemas.Profile`."""
    return {
        **person(user),
        "initials": user.initials,
        "role": user.role,
        "pending_email": user.pending_email,
        "quota_bytes": quota_of(user),
        "used_bytes": used_bytes(user.id),
        "created_at": rfc3339(user.created_at),
    }


def describe_session(session: Session, current: int | None = None) -> dict[str, Any]:
    """A session as its owner sees it, as `schemas.SessionOut`."""
    return {
        "id": session.id,
        "kind": session.kind,
        "device": device(session.agent),
        "address": session.address,
        "created_at": rfc3339(session.created_at),
        "seen_at": rfc3339(session.seen_at),
        "current": session.id == current,
    }


def describe_token(token: ApiToken) -> dict[str, Any]:
    """An API token as its owner sees it, as `schemas.TokenOut`."""
    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope,
        "created_at": rfc3339(token.created_at),
        "used_at": rfc3339(token.used_at) if token.used_at else None,
    }
