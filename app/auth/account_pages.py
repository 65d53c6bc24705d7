"""`/account`: one page with everything about oneself, and a form for each thing to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.auth import api_tokens, identity, profile, sessions
from app.auth.callers import new_address, own_account
from app.auth.cookies import clear_api_cookies
from app.auth.forms import (
    DeleteAccountForm,
    Form,
    NewAddressForm,
    PasswordForm,
    ProfileForm,
    TokenForm,
    require_button_form,
)
from app.auth.models import Scope, User
from app.auth.pages import status_of
from app.auth.presentation import describe_profile, describe_session, describe_token
from app.database import db
from app.errors import Conflict, InvalidInput
from app.limits import guesses, mails

pages = Blueprint("account", __name__, url_prefix="/account")

_FORMS: dict[str, type[Form]] = {
    "profile": ProfileForm,
    "email": NewAddressForm,
    "password": PasswordForm,
    "tokens": TokenForm,
    "delete": DeleteAccountForm,
}
"""Each form by its section of the page, which is also where it is sent."""


@pages.get("")
@identity.login_required
def show() -> ResponseReturnValue:
    """Show one's own account."""
    return _page()


@pages.post("/profile")
@identity.login_required
def rename() -> ResponseReturnValue:
    """Change the name that others see."""
    form = ProfileForm()
    wrong = _attempt("profile", form, lambda user: profile.rename(user, form.username.data))
    return wrong or _done("profile", "Your name is changed.")


@pages.post("/email")
@identity.login_required
@guesses(own_account)
@mails(new_address)
def change_address() -> ResponseReturnValue:
    """Ask for a new address."""
    form = NewAddressForm()

    def ask(user: User) -> None:
        profile.request_address(user, form.current_password.data, form.email.data)

    said = "We sent a mail to the new address. Open its link to finish."
    return _attempt("email", form, ask) or _done("email", said)


@pages.post("/email/forget")
@identity.login_required
def forget_address() -> ResponseReturnValue:
    """Drop a new address that waits for its link."""
    require_button_form()
    profile.forget_address(identity.require_user())
    db.session.commit()
    return _done("email", "Your address stays as it is.")


@pages.post("/password")
@identity.login_required
@guesses(own_account)
def change_password() -> ResponseReturnValue:
    """Set a new password; all other sessions end."""
    form = PasswordForm()
    keep = identity.current_session_id()

    def change(user: User) -> None:
        fields = form.current_password, form.new_password, form.confirm_password
        current, new, again = (field.data for field in fields)
        profile.change_password(user, current, new, again, keep)

    said = "Your new password is set. Everyone else is signed out."
    return _attempt("password", form, change) or _done("password", said)


@pages.post("/sessions/<int:id>/end")
@identity.login_required
def end_session(id: int) -> ResponseReturnValue:
    """End one session."""
    user = identity.require_session()
    require_button_form()
    profile.end_session(user.id, id)
    db.session.commit()
    return _done("sessions", "That device is signed out.")


@pages.post("/sessions/end-all")
@identity.login_required
def end_all_sessions() -> ResponseReturnValue:
    """Sign out everywhere, here too."""
    user = identity.require_session()
    require_button_form()
    sessions.end_all(user.id)
    db.session.commit()
    identity.forget_page_session()
    flash("You are signed out everywhere.")
    return clear_api_cookies(redirect("/", 303))


@pages.post("/tokens")
@identity.login_required
def create_token() -> ResponseReturnValue:
    """Make an API token, and show it this once."""
    identity.require_session()
    form = TokenForm()
    made: list[str] = []

    def create(user: User) -> None:
        made.append(api_tokens.create(user, form.name.data.strip(), Scope(form.scope.data))[1])

    return _attempt("tokens", form, create) or _page(secret=made[0])


@pages.post("/tokens/<int:id>/withdraw")
@identity.login_required
def withdraw_token(id: int) -> ResponseReturnValue:
    """Withdraw an API token."""
    require_button_form()
    profile.withdraw_token(identity.require_user().id, id)
    db.session.commit()
    return _done("tokens", "The token no longer works.")


@pages.post("/delete")
@identity.login_required
@guesses(own_account)
def delete() -> ResponseReturnValue:
    """Delete the account with everything in it."""
    form = DeleteAccountForm()
    wrong = _attempt("delete", form, lambda user: profile.delete_own(user, form.password.data))
    if wrong:
        return wrong
    identity.forget_page_session()
    flash("Your account is deleted.")
    return clear_api_cookies(redirect("/", 303))


def _attempt(section: str, form: Form, act: Callable[[User], object]) -> ResponseReturnValue | None:
    """Do what the form asks for and commit; the page, if something is wrong with it."""
    if not form.validate_on_submit():
        return _page(section, form)
    try:
        act(identity.require_user())
    except InvalidInput as error:
        form.refuse(error)
        return _page(section, form)
    except Conflict as error:
        form.form_errors.append(error.detail)
        return _page(section, form)
    db.session.commit()
    return None


def _done(section: str, said: str) -> ResponseReturnValue:
    flash(said)
    return redirect(url_for("account.show", _anchor=section), 303)


def _page(
    sent: str | None = None, form: Form | None = None, secret: str | None = None
) -> ResponseReturnValue:
    """The page, with the form that was sent and is wrong, or a token that was just made."""
    db.session.rollback()
    user, current = identity.require_user(), identity.current_session_id()
    forms: dict[str, Any] = {
        name: form if form is not None and name == sent else kind(formdata=None, obj=_values(name))
        for name, kind in _FORMS.items()
    }
    page = render_template(
        "auth/account.html",
        user=describe_profile(user) | {"is_admin": user.is_admin, "is_curator": user.is_curator},
        forms={name: each.with_ids(name) for name, each in forms.items()},
        sessions=[describe_session(found, current) for found in sessions.living(user.id)],
        tokens=[describe_token(token) for token in api_tokens.owned(user.id)],
        secret=secret,
        sent=sent,
    )
    return page, status_of(form) if form is not None else 200


def _values(section: str) -> object:
    """What a form begins with: the name is there to be changed, all others are empty."""
    return identity.require_user() if section == "profile" else None
