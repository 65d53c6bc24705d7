"""Bodies and answers of the accounts' JSON API."""

from __future__ import annotations

from pydantic import BaseModel, Field

from app.json_body import JsonBody


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

    role: str


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
