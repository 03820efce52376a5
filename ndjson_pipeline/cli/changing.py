"""The commands that change something in a deployment, as they are typed."""

import typer


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
