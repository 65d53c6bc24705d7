"""`/admin`: the site at a glance."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template
from flask.typing import ResponseReturnValue

from app.auth.admin import count_people
from app.auth.admin_pages import administrators_only
from app.videos import overview

pages = APIBlueprint("overview", __name__, url_prefix="/admin", enable_openapi=False)
pages.before_request(administrators_only)


@pages.get("")
def show() -> ResponseReturnValue:
    """What there is, what it takes, what is being done, and who takes most."""
    return render_template(
        "admin/overview.html",
        films=overview.count_films(),
        space=overview.measure_space(),
        people=count_people(),
        accounts=overview.largest_accounts(),
    )
