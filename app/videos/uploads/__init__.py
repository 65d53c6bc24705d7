"""Films that come in, by a form or in pieces: docs/uploads.md."""
