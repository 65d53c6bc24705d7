"""Mails of one machine are files; each new one is announced on the terminal with its link."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path

from standalone.terminal import say

_LINK = re.compile(r"https?://[^\s<>\"]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Mailbox:
    """The folder DATA_DIR/mail, as far as it has been read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = set(folder.glob("*.eml"))

    def announce(self) -> None:
        """Print every mail that came since the last call."""
        new = sorted(set(self._folder.glob("*.eml")) - self._seen)
        for path in new:
            self._seen.add(path)
            try:
                say(describe(path.read_bytes()))
            except (OSError, ValueError, LookupError) as error:
                say(f"  Mail in {path} (cannot be shown: {error})")


def describe(raw: bytes) -> str:
    """A mail in one or two lines: recipient, subject, and the first link of its text."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - the default policy makes no other
    body = message.get_body(("plain", "html"))
    link = _LINK.search(str(body.get_content())) if body else None
    line = f"  Mail to {_clean(message['To'])}: {_clean(message['Subject'])}"
    return f"{line}\n    {_clean(link[0])}" if link else line


def _clean(text: object) -> str:
    """Without control characters: a name must not move the cursor."""
    return _CONTROL.sub("", str(text or "?"))[:500]
