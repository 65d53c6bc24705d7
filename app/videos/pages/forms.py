"""The form in which a film's owner says what it is. `VideoChange` checks what is in it."""

from __future__ import annotations

from typing import Any

from wtforms import IntegerField, StringField, TextAreaField
from wtforms.validators import Optional

from app.auth.forms import Form
from app.videos.models import CATEGORY_LENGTH, DESCRIPTION_LENGTH, TITLE_LENGTH, Video
from app.videos.schemas import VideoChange


class _NumberField(IntegerField):
    """A whole number, or nothing."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed; refuse what is no whole number."""
        try:
            IntegerField.process_formdata(self, valuelist)
        except ValueError:
            raise ValueError("Write a whole number.") from None


def _text(label: str, length: int) -> StringField:
    return StringField(label, render_kw={"maxlength": length, "autocomplete": "off"})


def _number(label: str) -> Any:
    make: Any = _NumberField  # it has WTForms' constructor, which has no types
    return make(label, [Optional()], render_kw={"inputmode": "numeric", "min": 0})


class FilmForm(Form):
    """What is said of a film. `place` is for curators."""

    title = _text("Title", TITLE_LENGTH)
    description = TextAreaField(
        "Description", render_kw={"rows": 5, "maxlength": DESCRIPTION_LENGTH}
    )
    category = StringField(
        "Category",
        render_kw={"maxlength": CATEGORY_LENGTH, "autocomplete": "off", "list": "categories"},
    )
    year = _number("Year")
    series = _text("Series", TITLE_LENGTH)
    season = _number("Season")
    episode = _number("Episode")
    place = _number("Place in its row")

    def show(self, video: Video) -> None:
        """Fill in what is said of the film now."""
        for name in ("title", "description", "category", "year", "season", "episode", "place"):
            self[name].data = getattr(video, name)
        self["series"].data = video.series.title if video.series else ""

    def wanted(self, *, with_place: bool) -> VideoChange:
        """What was filled in. Raises InvalidInput, with a sentence for each field."""
        values: dict[str, Any] = {
            name: field.data
            for name, field in self._fields.items()
            if name in VideoChange.model_fields and (with_place or name != "place")
        }
        return VideoChange.model_validate(values)
