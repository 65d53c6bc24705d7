"""The forms of the accounts' pages. They check presence and form; the services check the rest."""

from __future__ import annotations

from typing import Any, Self

from flask import request
from flask_wtf import FlaskForm
from flask_wtf.csrf import CSRFError
from wtforms import Field, PasswordField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length

from app.auth.models import TOKEN_NAME_LENGTH, USERNAME_LENGTH, Scope
from app.auth.passwords import MAX_LENGTH
from app.errors import InvalidInput

EXPIRED = "This page was open for too long. Please send it again."

_ADDRESS = {
    "type": "email",
    "inputmode": "email",
    "autocapitalize": "none",
    "spellcheck": "false",
    "maxlength": 254,
}


class Form(FlaskForm):
    """A form whose messages are sentences, and whose hidden field has an id of its own."""

    class Meta(FlaskForm.Meta):
        """Only what a form sends is read: JSON has its own addresses."""

        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> Any:
            """The posted fields; None where nothing was posted, or for another form."""
            posted = request and request.method == "POST" and formdata is not None
            return request.form if posted else None

    def __init__(self, **kwargs: Any) -> None:
        FlaskForm.__init__(self, **kwargs)
        if "csrf_token" in self:  # a page has several forms, and ids are unique
            self["csrf_token"].id = f"{type(self).__name__.lower()}-csrf"

    def with_ids(self, prefix: str) -> Self:
        """The same form, its fields' ids unique on a page with several forms."""
        for field in self:
            field.id = f"{prefix}-{field.name}"
            field.label.field_id = field.id
        return self

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether all fields are right and the form was made by us for this browser."""
        valid = FlaskForm.validate(self, extra_validators)
        if "csrf_token" in self and self["csrf_token"].errors:
            self["csrf_token"].errors = [EXPIRED]
        return bool(valid)

    def validate_on_submit(self, extra_validators: Any = None) -> bool:
        """Whether the form was sent, and is right."""
        return bool(FlaskForm.validate_on_submit(self, extra_validators))

    def refuse(self, error: InvalidInput) -> None:
        """Show what a service found wrong, each sentence at its field."""
        for name, texts in error.errors.items():
            if name in self:
                self[name].errors = [*self[name].errors, *texts]
            else:
                self.form_errors.extend(texts)


def _needed(sentence: str) -> InputRequired:
    return InputRequired(sentence)


def _address(autocomplete: str) -> Field:
    return StringField(
        "Email",
        [_needed("Enter your e-mail address."), Length(max=1024, message="This is too long.")],
        render_kw={**_ADDRESS, "autocomplete": autocomplete},
    )


def _password(label: str, sentence: str, autocomplete: str) -> Field:
    longest = Length(max=4 * MAX_LENGTH, message=f"Use at most {MAX_LENGTH} characters.")
    return PasswordField(
        label, [_needed(sentence), longest], render_kw={"autocomplete": autocomplete}
    )


class RegisterForm(Form):
    """A new account."""

    email = _address("email")
    password = _password("Password", "Choose a password.", "new-password")
    confirmed_password = _password("Password again", "Repeat your password.", "new-password")


class LoginForm(Form):
    """An address and its password."""

    email = _address("username")
    password = _password("Password", "Enter your password.", "current-password")


class ForgotPasswordForm(Form):
    """The address whose password was forgotten."""

    email = _address("username")


class ResetPasswordForm(Form):
    """A new password, twice."""

    new_password = _password("New password", "Choose a password.", "new-password")
    confirm_password = _password("New password again", "Repeat your password.", "new-password")


class ProfileForm(Form):
    """The name that others see."""

    username = StringField(
        "Name",
        [
            _needed("Choose a name."),
            Length(max=USERNAME_LENGTH, message=f"Use at most {USERNAME_LENGTH} characters."),
        ],
        render_kw={"autocomplete": "nickname", "maxlength": USERNAME_LENGTH},
    )


class NewAddressForm(Form):
    """Another address for the account."""

    email = _address("email")
    current_password = _password("Your password", "Enter your password.", "current-password")


class PasswordForm(ResetPasswordForm):
    """A new password, twice, and the present one."""

    current_password = _password(
        "Present password", "Enter your present password.", "current-password"
    )


class TokenForm(Form):
    """A new API token."""

    name = StringField(
        "What it is for",
        [
            _needed("Give it a name, so that you know it later."),
            Length(max=TOKEN_NAME_LENGTH, message=f"Use at most {TOKEN_NAME_LENGTH} characters."),
        ],
        render_kw={"autocomplete": "off", "maxlength": TOKEN_NAME_LENGTH},
    )
    scope = SelectField(
        "It may",
        choices=[
            SelectChoice(Scope.READ.value, "only read"),
            SelectChoice(Scope.WRITE.value, "read and change"),
        ],
        default=Scope.READ.value,
    )


class DeleteAccountForm(Form):
    """The proof that it is really the owner who deletes the account."""

    password = _password("Your password", "Enter your password.", "current-password")


class ButtonForm(Form):
    """Nothing but the proof that our own page sent it."""


def require_button_form() -> None:
    """Raise CSRFError unless our own page sent this form of one button."""
    if not ButtonForm().validate_on_submit():
        raise CSRFError("the token is missing or wrong")
