"""Bodies and answers of the accounts' JSON API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.auth.models import TOKEN_NAME_LENGTH
from app.json_body import STORABLE, JsonBody


class RegisterIn(JsonBody):
    """A new account."""

    email: str = Field(examples=["ada@example.com"])
    password: str = Field(examples=["a short sentence works"])
    confirmed_password: str = Field(examples=["a short sentence works"])


class LoginIn(JsonBody):
    """An address and its password."""

    email: str = Field(examples=["ada@example.com"])
    password: str = Field(examples=["a short sentence works"])


class ResetIn(JsonBody):
    """The address whose password was forgotten."""

    email: str = Field(examples=["ada@example.com"])


class NewPasswordIn(JsonBody):
    """A new password, twice."""

    new_password: str
    confirm_password: str


class ProfileChange(JsonBody):
    """What its owner may change; fields that are left out stay."""

    username: str | None = Field(default=None, examples=["Ada Lovelace"])


class PasswordChangeIn(JsonBody):
    """The present password and a new one; `confirm_password` may be left out."""

    current_password: str
    new_password: str
    confirm_password: str | None = None


class NewAddressIn(JsonBody):
    """The present password and the new address."""

    current_password: str
    email: str = Field(examples=["ada@example.org"])


class DeleteAccountIn(JsonBody):
    """The present password."""

    password: str


TokenName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=TOKEN_NAME_LENGTH),
    STORABLE,
]


class TokenIn(JsonBody):
    """A new API token: `read` is for GET and HEAD only."""

    name: TokenName = Field(examples=["Living room"])
    scope: Literal["read", "write"] = "read"


class Address(BaseModel):
    """An account as far as anyone may know."""

    email: str


class Person(BaseModel):
    """An account as its owner sees it after signing in."""

    id: int
    username: str
    email: str


class Profile(Person):
    """An account as its owner sees it."""

    initials: str
    role: str = Field(description="member, curator or admin.")
    pending_email: str | None = Field(description="Counts once the link mailed there is opened.")
    quota_bytes: int | None = Field(description="What one's films may take; null: no bound.")
    used_bytes: int = Field(description="What films and unfinished uploads take of it.")
    created_at: str


class SessionOut(BaseModel):
    """A place where one is signed in."""

    id: int
    kind: str = Field(description="page (session cookie) or api (access and refresh tokens).")
    device: str
    address: str
    created_at: str
    seen_at: str = Field(description="Last use, to five minutes.")
    current: bool


class TokenOut(BaseModel):
    """An API token without its secret."""

    id: int
    name: str
    scope: str
    created_at: str
    used_at: str | None = Field(description="Last use, to five minutes.")


class TokenMadeOut(TokenOut):
    """A new API token, and the only time that it is told."""

    token: str


class RegisterOut(BaseModel):
    """Whose address it was, and what to do next."""

    user: Address
    detail: str


class LoginOut(BaseModel):
    """Who is signed in now."""

    detail: str
    user: Person


class RefreshOut(BaseModel):
    """The new access token, which is also in its cookie."""

    detail: str
    access: str


class MessageOut(BaseModel):
    """What happened."""

    message: str


class DetailOut(BaseModel):
    """What happened."""

    detail: str


class ExportOut(BaseModel):
    """Everything that is kept about an account, by kind, secrets left out."""

    model_config = ConfigDict(extra="allow")

    profile: Profile
    sessions: list[SessionOut]
    api_tokens: list[TokenOut]
