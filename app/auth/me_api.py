"""One's own account as JSON: profile, password, address, sessions, API tokens, data, its end."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, after_this_request, jsonify

from app.auth import api_tokens, identity, profile, sessions
from app.auth.callers import new_address, own_account
from app.auth.cookies import clear_api_cookies
from app.auth.models import Scope
from app.auth.presentation import describe_profile, describe_session, describe_token
from app.auth.schemas import (
    DeleteAccountIn,
    DetailOut,
    ExportOut,
    NewAddressIn,
    PasswordChangeIn,
    Profile,
    ProfileChange,
    SessionOut,
    TokenIn,
    TokenMadeOut,
    TokenOut,
)
from app.database import db
from app.json_body import json_body
from app.limits import guesses, mails

api = APIBlueprint("me_api", __name__, url_prefix="/api/me", tag="Your account")


@api.get("/")
@api.output(Profile)
def me() -> dict[str, Any]:
    """Tell who is signed in."""
    return describe_profile(identity.require_user())


@api.patch("/")
@identity.signed_in
@json_body(api, ProfileChange)
@api.output(Profile)
def change(body: ProfileChange) -> dict[str, Any]:
    """Change the name that others see."""
    user = identity.require_user()
    if body.username is not None:
        profile.rename(user, body.username)
    db.session.commit()
    return describe_profile(user)


@api.delete("/")
@identity.signed_in
@guesses(own_account)
@json_body(api, DeleteAccountIn)
@api.output({}, status_code=204)
@api.doc(responses=[409])
def delete(body: DeleteAccountIn) -> tuple[str, int]:
    """Delete the account with all its videos, at once and for good; asks for the password."""
    profile.delete_own(identity.require_user(), body.password)
    db.session.commit()
    identity.forget_page_session()
    after_this_request(clear_api_cookies)
    return "", 204


@api.post("/password/")
@identity.signed_in
@guesses(own_account)
@json_body(api, PasswordChangeIn)
@api.output(DetailOut)
def change_password(body: PasswordChangeIn) -> dict[str, Any]:
    """Set a new password; all other sessions end."""
    user, keep = identity.require_user(), identity.current_session_id()
    profile.change_password(
        user, body.current_password, body.new_password, body.confirm_password, keep
    )
    db.session.commit()
    return {"detail": "Your new password is set. All other sessions have ended."}


@api.post("/email/")
@identity.signed_in
@guesses(own_account)
@mails(new_address)
@json_body(api, NewAddressIn)
@api.output(DetailOut)
def change_address(body: NewAddressIn) -> dict[str, Any]:
    """Ask for a new address; it counts once the link that is mailed there has been opened."""
    address = profile.request_address(identity.require_user(), body.current_password, body.email)
    db.session.commit()
    return {"detail": f"We sent a mail to {address}. Open its link to finish."}


@api.get("/sessions/")
@api.output(list[SessionOut])  # type: ignore[arg-type]
def list_sessions() -> Response:
    """List where one is signed in, the session used last first."""
    user = identity.require_user()
    current = identity.current_session_id()
    return jsonify([describe_session(found, current) for found in sessions.living(user.id)])


@api.delete("/sessions/")
@api.output({}, status_code=204)
def end_all_sessions() -> tuple[str, int]:
    """Sign out everywhere, here too."""
    sessions.end_all(identity.require_session().id)
    db.session.commit()
    identity.forget_page_session()
    after_this_request(clear_api_cookies)
    return "", 204


@api.delete("/sessions/<int:session_id>/")
@api.output({}, status_code=204)
def end_session(session_id: int) -> tuple[str, int]:
    """End one session, on the server and wherever its cookie went."""
    profile.end_session(identity.require_session().id, session_id)
    db.session.commit()
    return "", 204


@api.get("/tokens/")
@api.output(list[TokenOut])  # type: ignore[arg-type]
def list_tokens() -> Response:
    """List one's API tokens, newest first; their secrets are not kept."""
    user = identity.require_user()
    return jsonify([describe_token(token) for token in api_tokens.owned(user.id)])


@api.post("/tokens/")
@identity.in_person
@json_body(api, TokenIn)
@api.output(TokenMadeOut, status_code=201)
@api.doc(responses=[409])
def create_token(body: TokenIn) -> dict[str, Any]:
    """Make an API token for `Authorization: Bearer`; it is shown this once."""
    token, secret = api_tokens.create(identity.require_session(), body.name, Scope(body.scope))
    described = describe_token(token)
    db.session.commit()
    return {**described, "token": secret}


@api.delete("/tokens/<int:token_id>/")
@api.output({}, status_code=204)
def withdraw_token(token_id: int) -> tuple[str, int]:
    """Withdraw an API token at once."""
    profile.withdraw_token(identity.require_user().id, token_id)
    db.session.commit()
    return "", 204


@api.get("/export/")
@api.doc(summary="Get everything kept about you")
@api.output(ExportOut)
def export() -> Response:
    """Get everything that is kept about oneself as one JSON file, secrets left out."""
    answer = jsonify(profile.export(identity.require_user()))
    answer.headers["Content-Disposition"] = 'attachment; filename="videoflix-data.json"'
    return answer
