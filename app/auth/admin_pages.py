"""`/admin/users`: people, for administrators. Each button is a form of its own."""

from __future__ import annotations

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import admin, identity, profile
from app.auth.forms import require_button_form
from app.auth.models import Role, User
from app.database import db
from app.errors import Conflict, DomainError
from app.formatting import rfc3339

pages = APIBlueprint("admin", __name__, url_prefix="/admin", enable_openapi=False)
"""Not a plain blueprint: APIFlask's description stumbles over one that has a `before_request`."""


@pages.before_request
def administrators_only() -> ResponseReturnValue | None:
    """Nothing below /admin is for anyone else, whatever is added."""
    if identity.current_user_or_none() is None:
        return identity.to_login()
    identity.require_role(Role.ADMIN)
    return None


@pages.get("/users")
def users() -> ResponseReturnValue:
    """Find accounts by address, name and state."""
    me = identity.require_user()
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
def promote(id: int) -> ResponseReturnValue:
    """Give an account another role."""
    try:
        role = Role(request.form.get("role", ""))
    except ValueError:
        raise DomainError("Choose one of the roles.") from None
    return _act(id, lambda user: admin.promote(user, role), f"{{}} is {role} now.")


@pages.post("/users/<int:id>/disable")
def disable(id: int) -> ResponseReturnValue:
    """Shut an account."""
    return _act(id, admin.disable, "{} is signed out and cannot sign in.")


@pages.post("/users/<int:id>/enable")
def enable(id: int) -> ResponseReturnValue:
    """Open a shut account again."""
    return _act(id, admin.enable, "{} can sign in again.")


@pages.post("/users/<int:id>/resend")
def resend(id: int) -> ResponseReturnValue:
    """Mail a fresh link that confirms the address."""
    return _act(id, admin.resend, "A new link is on its way to {}.")


@pages.post("/users/<int:id>/delete")
def delete(id: int) -> ResponseReturnValue:
    """Delete an account with everything in it."""
    return _act(id, profile.delete_account, "{} is deleted, with all its films.")


def _act(user_id: int, act: Callable[[User], None], said: str) -> ResponseReturnValue:
    """Do it for the administrator who pressed our button, say so, go back to the list."""
    require_button_form()
    user = admin.by_id(user_id)
    address = user.email
    try:
        if user.id == identity.require_user().id:
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
