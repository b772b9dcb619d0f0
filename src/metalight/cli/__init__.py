"""The command line: one module a command. Nothing heavy is imported before a command needs it."""

from metalight.cli.interruption import heeding_interruptions, told_of_interruptions


def main() -> None:
    """Entry point of the `metalight` command."""
    with heeding_interruptions(), told_of_interruptions():
        # The import alone takes long enough for an impatient hand.
        from metalight.cli.app import app

        app()
