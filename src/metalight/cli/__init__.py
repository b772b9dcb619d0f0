"""The command line: one module a command. Nothing heavy is imported before a command needs it."""

from metalight.cli.app import app, main

__all__ = ["app", "main"]
