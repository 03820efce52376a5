"""Terraform, as the driver calls it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.driver.commands import Commands
from deploy.driver.plans import Plan

_CHANGES = 2


class Terraform:
    """The root module, with a workspace for each environment.

    A workspace has a state of its own, wherever the backend keeps it, so that one environment's variables
    never meet another's resources. A person's own options, such as a backend's, go by TF_CLI_ARGS_init.

    Args:
        commands: runs it.
        folder: of the root module.
        environment: dev or prod; `{environment}.tfvars` is beside the module's files.
    """

    def __init__(self, commands: Commands, folder: Path, environment: str) -> None:
        self._commands = commands
        self._folder = folder
        self._environment = environment

    def begin(self, *, is_new_allowed: bool) -> None:
        """Fetch the provider, and go to the environment's workspace.

        Raises:
            CommandError: Terraform failed, or there is no such workspace and none may be made.
        """
        self._run("init", "-input=false")
        new = ["-or-create=true"] if is_new_allowed else []
        self._run("workspace", "select", *new, self._environment)

    def plan(
        self,
        saved: Path,
        variables: Mapping[str, str],
        *,
        targets: Sequence[str] = (),
        is_removal: bool = False,
    ) -> Plan:
        """Plan, show it to the person, save it, and return it.

        Args:
            saved: where to.
            variables: of the root module, besides those of the environment's file.
            targets: addresses of what alone is planned; empty for everything.
            is_removal: whether everything goes.

        Raises:
            CommandError: Terraform failed.
        """
        options = [f"-var-file={self._environment}.tfvars", f"-out={saved}"]
        options += [f"-var={name}={value}" for name, value in variables.items()]
        options += [f"-target={address}" for address in targets]
        options += ["-destroy"] if is_removal else []
        status = self._run("plan", "-input=false", "-detailed-exitcode", *options, statuses=(0, _CHANGES))
        shown = self._commands.output(["terraform", "show", "-json", str(saved)], folder=self._folder)
        return Plan.from_document(json.loads(shown), is_empty=status != _CHANGES)

    def apply(self, saved: Path) -> None:
        """Do what was planned.

        Raises:
            CommandError: Terraform failed; what it had done by then stays, and the next plan goes on there.
        """
        self._run("apply", "-input=false", str(saved))

    def outputs(self) -> dict[str, Any]:
        """Return the root module's outputs; empty where nothing was made yet."""
        shown = self._commands.output(["terraform", "output", "-json"], folder=self._folder)
        return {name: one["value"] for name, one in json.loads(shown).items()}

    def _run(self, *arguments: str, statuses: Sequence[int] = (0,)) -> int:
        return self._commands.run(["terraform", *arguments], folder=self._folder, statuses=statuses)
