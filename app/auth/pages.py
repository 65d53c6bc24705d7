"""The pages for signing up and in. Opening one changes nothing; its button does."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import identity, service, sessions
from app.auth.api import client
from app.auth.callers import named_account
from app.auth.cookies import clear_api_cookies
from app.auth.errors import LinkExpired, LinkInvalid, WrongCredentials
from app.auth.forms import (
    ButtonForm,
    ForgotPasswordForm,
    Form,
    LoginForm,
    RegisterForm,
    ResetPasswordForm,
    require_button_form,
)
from app.auth.models import SessionKind
from app.auth.next_page import safe_next
from app.auth.tokens import Purpose
from app.database import db
from app.errors import DomainError, InvalidInput
from app.limits import guesses, mails

pages = Blueprint("auth", __name__)


@pages.route("/register", methods=["GET", "POST"])
@mails(named_account, open_without_redis=True)
def register() -> ResponseReturnValue:
    """Open an account."""
    if identity.current_user_or_none():
        return redirect(_after_login(None))
    form = RegisterForm()
    if form.validate_on_submit():
        try:
            email = service.register(
                form.email.data, form.password.data, form.confirmed_password.data
            )
        except InvalidInput as error:
            form.refuse(error)
        else:
            db.session.commit()
            return render_template("auth/check_mail.html", email=email, purpose="verify")
    return render_template("auth/register.html", form=form), status_of(form)


@pages.route("/verify/<uid>/<token>", methods=["GET", "POST"])
def verify(uid: str, token: str) -> ResponseReturnValue:
    """Confirm an address: the link shows a button, since mail scanners open links."""
    form = ButtonForm()
    try:
        if form.validate_on_submit():
            purpose = service.confirm(uid, token)
            db.session.commit()
            is_new = purpose is Purpose.NEW_ADDRESS
            return render_template("auth/verified.html", new_address=is_new)
        purpose, user = service.check_confirmation(uid, token)
    except (LinkInvalid, LinkExpired) as error:
        return _link_problem(error)
    address = user.pending_email if purpose is Purpose.NEW_ADDRESS else None
    return render_template("auth/verify.html", form=form, new_address=address), status_of(form)


@pages.route("/login", methods=["GET", "POST"])
@guesses(named_account)
def login() -> ResponseReturnValue:
    """Sign in."""
    following = safe_next(request.values.get("next"))
    if identity.current_user_or_none() and request.method == "GET":
        return redirect(_after_login(following))
    form = LoginForm()
    if form.validate_on_submit():
        try:
            begun = service.sign_in(form.email.data, form.password.data, SessionKind.PAGE, client())
        except WrongCredentials as error:
            form.form_errors.append(error.detail)
        else:
            sessions.end(identity.presented_sessions())
            db.session.commit()
            identity.remember_page_session(begun.secret)
            return clear_api_cookies(redirect(_after_login(following), 303))
    return render_template("auth/login.html", form=form, next=following or ""), status_of(form)


@pages.post("/logout")
def logout() -> ResponseReturnValue:
    """Sign out: the session ends on the server, whoever holds a copy of its cookie."""
    require_button_form()
    sessions.end(identity.presented_sessions())
    db.session.commit()
    identity.forget_page_session()
    return clear_api_cookies(redirect("/", 303))


@pages.route("/forgot-password", methods=["GET", "POST"])
@mails(named_account)
def forgot_password() -> ResponseReturnValue:
    """Ask for a link that sets a new password."""
    form = ForgotPasswordForm()
    if form.validate_on_submit():
        try:
            email = service.request_reset(form.email.data)
        except InvalidInput as error:
            form.refuse(error)
        else:
            db.session.commit()
            return render_template("auth/check_mail.html", email=email, purpose="reset")
    return render_template("auth/forgot_password.html", form=form), status_of(form)


@pages.route("/reset-password/<uid>/<token>", methods=["GET", "POST"])
def reset_password(uid: str, token: str) -> ResponseReturnValue:
    """Set a new password; all other sessions end."""
    form = ResetPasswordForm()
    try:
        if form.validate_on_submit():
            keep = identity.current_session_id()
            service.reset_password(
                uid, token, form.new_password.data, form.confirm_password.data, keep
            )
            db.session.commit()
            flash("Your new password is set. Sign in with it.", "success")
            return redirect(url_for("auth.login"), 303)
        service.check_reset(uid, token)
    except (LinkInvalid, LinkExpired) as error:
        return _link_problem(error)
    except InvalidInput as error:
        form.refuse(error)
    page = render_template("auth/reset_password.html", form=form, uid=uid, token=token)
    return page, status_of(form)


def _after_login(following: str | None) -> str:
    return following or url_for("videos.browse")


def _link_problem(error: DomainError) -> ResponseReturnValue:
    db.session.rollback()
    return render_template("auth/link_problem.html", detail=error.detail), error.status


def status_of(form: Form) -> int:
    """400 for a form that comes back with something to correct."""
    return 400 if form.errors else 200
