"""The pages of films; the entry points of browsers."""
