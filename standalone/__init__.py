"""Videoflix on one machine: everything that `make run` does, and nothing of the application.

The code here starts the application as programs and talks to it as a person would, by command
line and HTTP. It imports `config` for the settings and never `app`.
"""
