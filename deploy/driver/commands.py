"""Other programs, as the driver runs them."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from deploy.driver.errors import CommandError

_SHOWN_CHARACTERS = 4_000


class Commands(Protocol):
    """Runs programs; a test plays it."""

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path | None = None,
        standard_input: str | None = None,
        statuses: Sequence[int] = (0,),
    ) -> int:
        """Run a program whose output the person sees; return its status.

        Raises:
            CommandError: it is not there, or ended with another status than these.
        """

    def output(self, command: Sequence[str], *, folder: Path | None = None) -> str:
        """Return what a program prints.

        Raises:
            CommandError: it is not there, or failed.
        """


class RealCommands:
    """Runs them.

    Args:
        environment: of each.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path | None = None,
        standard_input: str | None = None,
        statuses: Sequence[int] = (0,),
    ) -> int:
        """Run a program whose output the person sees; return its status."""
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=self._environment,
                input=standard_input,
                text=True,
                check=False,
            )
        except OSError as error:
            raise CommandError(f"{command[0]} can't be run: {error.strerror}") from error
        if done.returncode not in statuses:
            raise CommandError(f"{_named(command)} ended with status {done.returncode}")
        return done.returncode

    def output(self, command: Sequence[str], *, folder: Path | None = None) -> str:
        """Return what a program prints."""
        try:
            done = subprocess.run(
                command, cwd=folder, env=self._environment, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise CommandError(f"{command[0]} can't be run: {error.strerror}") from error
        if done.returncode:
            said = done.stderr.strip()[-_SHOWN_CHARACTERS:]
            raise CommandError(f"{_named(command)} ended with status {done.returncode}: {said}")
        return done.stdout


def _named(command: Sequence[str]) -> str:
    """Name a program by its first words; what follows may be long."""
    return " ".join(command[:3])
