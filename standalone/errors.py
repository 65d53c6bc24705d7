"""The one exception of the starter."""


class StartError(Exception):
    """Videoflix cannot start or go on; the text is a sentence that says what to do."""
