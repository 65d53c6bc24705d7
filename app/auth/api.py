"""Signing up and in as JSON: register, activate, log in and out, refresh, reset."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import after_this_request, request

from app.auth import identity, service, sessions
from app.auth.callers import named_account
from app.auth.cookies import clear_api_cookies, set_api_cookies
from app.auth.models import SessionKind
from app.auth.presentation import person
from app.auth.schemas import (
    DetailOut,
    LoginIn,
    LoginOut,
    MessageOut,
    NewPasswordIn,
    RefreshOut,
    RegisterIn,
    RegisterOut,
    ResetIn,
)
from app.auth.tokens import Purpose
from app.database import db, writing
from app.errors import DomainError, InvalidInput, NotSignedIn
from app.json_body import json_body
from app.limits import guesses, mails

api = APIBlueprint("auth_api", __name__, url_prefix="/api", tag="Accounts")


@api.post("/register/")
@mails(named_account, open_without_redis=True)
@json_body(api, RegisterIn)
@api.output(RegisterOut, status_code=201)
def register(body: RegisterIn) -> dict[str, Any]:
    """Open an account; a mail brings the link that confirms its address."""
    email = service.register(body.email, body.password, body.confirmed_password)
    db.session.commit()
    detail = "We sent a mail to this address. Open its link to finish."
    return {"user": {"email": email}, "detail": detail}


@api.get("/activate/<uid>/<token>/")
@api.output(MessageOut)
def activate(uid: str, token: str) -> dict[str, Any]:
    """Confirm an address, a first or a new one, with the two parts of the mailed link."""
    if request.method == "HEAD":
        service.check_confirmation(uid, token)
        return {"message": "This link works."}
    with writing():
        purpose = service.confirm(uid, token)
    if purpose is Purpose.VERIFY:
        return {"message": "Your address is confirmed. You can sign in now."}
    return {"message": "Your new address is confirmed. Sign in with it from now on."}


@api.post("/login/")
@guesses(named_account)
@json_body(api, LoginIn)
@api.output(LoginOut)
@api.doc(responses=[401])
def login(body: LoginIn) -> dict[str, Any]:
    """Sign in; the answer sets the cookies `access_token` and `refresh_token`."""
    begun = service.sign_in(body.email, body.password, SessionKind.API, client())
    sessions.end(identity.presented_sessions())
    access, refresh = identity.access_token(begun.session), service.refresh_token(begun.session)
    answer = {"detail": "You are signed in.", "user": person(begun.user)}
    db.session.commit()
    identity.forget_page_session()
    after_this_request(lambda response: set_api_cookies(response, access, refresh))
    return answer


@api.post("/logout/")
@api.output(DetailOut)
def logout() -> dict[str, Any]:
    """Sign out: the session ends on the server, whoever holds a copy of its cookies."""
    sessions.end(identity.presented_sessions())
    db.session.commit()
    identity.forget_page_session()
    after_this_request(clear_api_cookies)
    return {"detail": "You are signed out."}


@api.post("/token/refresh/")
@api.output(RefreshOut)
@api.doc(responses=[401])
def refresh() -> dict[str, Any]:
    """Exchange the cookie `refresh_token` for new tokens; using one twice ends the session."""
    presented = request.cookies.get(identity.REFRESH_COOKIE)
    if not presented:
        raise DomainError("There is no refresh token. Sign in first.", code="no_refresh_token")
    found = service.refresh(presented)
    tokens = (identity.access_token(found[0]), found[1]) if found else None
    db.session.commit()
    if tokens is None:
        raise NotSignedIn("Your session has ended. Sign in again.")
    after_this_request(lambda response: set_api_cookies(response, *tokens))
    return {"detail": "Your session goes on.", "access": tokens[0]}


@api.post("/password_reset/")
@mails(named_account)
@json_body(api, ResetIn)
@api.output(DetailOut)
def request_reset(body: ResetIn) -> dict[str, Any]:
    """Ask for a link that sets a new password; the answer never tells whether it was sent."""
    try:
        service.request_reset(body.email)
    except InvalidInput:
        db.session.rollback()
    else:
        db.session.commit()
    return {"detail": "If this address has an account, a mail with a link is on its way."}


@api.post("/password_confirm/<uid>/<token>/")
@json_body(api, NewPasswordIn)
@api.output(DetailOut)
def confirm_reset(uid: str, token: str, body: NewPasswordIn) -> dict[str, Any]:
    """Set a new password with the two parts of the mailed link; all other sessions end."""
    keep = identity.current_session_id()
    service.reset_password(uid, token, body.new_password, body.confirm_password, keep)
    db.session.commit()
    return {"detail": "Your new password is set."}


def client() -> service.Client:
    """Where this request comes from."""
    return service.Client(request.remote_addr or "", request.user_agent.string)
