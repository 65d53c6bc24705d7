"""The JSON API of films, by what it is about; the entry points of programs."""
