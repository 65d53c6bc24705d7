"""`/admin`: people, for administrators. Each button is a form of its own."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import admin, identity, profile
from app.auth.forms import require_button_form
from app.auth.models import Role, User
from app.database import db
from app.errors import Conflict, DomainError
from app.formatting import rfc3339

pages = Blueprint("admin", __name__, url_prefix="/admin")


@pages.get("")
@identity.login_required
def start() -> ResponseReturnValue:
    """Go to what administrators look at first."""
    identity.require_role(Role.ADMIN)
    return redirect(url_for("admin.users"))


@pages.get("/users")
@identity.login_required
def users() -> ResponseReturnValue:
    """Find accounts by address, name and state."""
    me = identity.require_role(Role.ADMIN)
    text = request.args.get("q", "")[:254].strip()
    state = request.args.get("state")
    state = state if state in admin.STATES else None
    found = admin.find_users(text, state, request.args.get("before", type=int))
    return render_template(
        "admin/users.html",
        users=[_describe(user, me) for user in found.users],
        next_before=found.next_before,
        text=text,
        state=state,
        states=admin.STATES,
        roles=list(Role),
    )


@pages.post("/users/<int:id>/role")
@identity.login_required
def promote(id: int) -> ResponseReturnValue:
    """Give an account another role."""
    try:
        role = Role(request.form.get("role", ""))
    except ValueError:
        raise DomainError("Choose one of the roles.") from None
    return _act(id, lambda user: admin.promote(user, role), f"{{}} is {role} now.")


@pages.post("/users/<int:id>/disable")
@identity.login_required
def disable(id: int) -> ResponseReturnValue:
    """Shut an account."""
    return _act(id, admin.disable, "{} is signed out and cannot sign in.")


@pages.post("/users/<int:id>/enable")
@identity.login_required
def enable(id: int) -> ResponseReturnValue:
    """Open a shut account again."""
    return _act(id, admin.enable, "{} can sign in again.")


@pages.post("/users/<int:id>/resend")
@identity.login_required
def resend(id: int) -> ResponseReturnValue:
    """Mail a fresh link that confirms the address."""
    return _act(id, admin.resend, "A new link is on its way to {}.")


@pages.post("/users/<int:id>/delete")
@identity.login_required
def delete(id: int) -> ResponseReturnValue:
    """Delete an account with everything in it."""
    return _act(id, profile.delete_account, "{} is deleted, with all its films.")


def _act(user_id: int, act: Callable[[User], None], said: str) -> ResponseReturnValue:
    """Do it for an administrator who pressed our button, say so, go back to the list."""
    me = identity.require_role(Role.ADMIN)
    require_button_form()
    user = admin.by_id(user_id)
    address = user.email
    try:
        if user.id == me.id:
            raise Conflict("This is your own account. Change it under Account.")
        act(user)
    except Conflict as error:
        db.session.rollback()
        flash(error.detail, "error")
    else:
        db.session.commit()
        flash(said.format(address))
    kept = {name: request.args.get(name) for name in ("q", "state", "before")}
    return redirect(url_for("admin.users", _external=False, **kept), 303)


def _describe(user: User, me: User) -> dict[str, object]:
    """An account as administrators see it."""
    return {
        "id": user.id,
        "email": user.email,
        "username": user.username,
        "initials": user.initials,
        "role": user.role,
        "state": admin.state_of(user),
        "created_at": rfc3339(user.created_at),
        "is_me": user.id == me.id,
    }
