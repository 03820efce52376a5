"""Programs that a test plays: what was run, in which order, and what they answer."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.driver.errors import CommandError

ACCOUNT = "123456789012"
REGION = "eu-central-1"


def bucket(purpose: str, feed: str = "") -> str:
    return f"ndjson-{f'{feed}-' if feed else ''}{purpose}-sqs-{ACCOUNT}-dev"


def change(address: str, *actions: str, **attributes: Any) -> dict[str, Any]:
    """A resource of a plan, as `terraform show -json` has it."""
    is_new, goes = actions == ("create",), actions == ("delete",)
    return {
        "address": address,
        "mode": "managed",
        "type": re.sub(r"\[[^\]]*\]", "", address).split(".")[-2],
        "change": {
            "actions": list(actions),
            "before": None if is_new else attributes,
            "after": None if goes else attributes,
        },
    }


def document(*changes: Mapping[str, Any], feeds: Sequence[str] = ("",), **variables: Any) -> dict[str, Any]:
    """A plan, as `terraform show -json` prints it."""
    given = {"region": REGION, "deploy_dagster": True, **variables}
    named = {feed: {one: bucket(one, feed) for one in ("input", "scripts")} for feed in feeds}
    dagster = {"repository_url": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ndjson-dagster-dev"}
    return {
        "variables": {name: {"value": value} for name, value in given.items()},
        "resource_changes": list(changes),
        "output_changes": {"buckets": {"after": named}, "dagster": {"after": dagster}},
    }


@dataclass
class PlayedCommands:
    """Answers as Terraform and docker would.

    Attributes:
        plans: what each plan in turn says; None where it finds nothing to do.
        outputs: of Terraform, once applied.
        lacks: programs that are not there.
        fails: commands that fail, by words that they hold.
        ran: what was run, in order.
    """

    plans: list[dict[str, Any] | None]
    outputs: dict[str, Any] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()
    ran: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path | None = None,
        standard_input: str | None = None,
        statuses: Sequence[int] = (0,),
    ) -> int:
        line = " ".join(Path(word).name if "/bin/" in word else word for word in command)
        self.ran.append(line)
        if standard_input is not None:
            self.inputs.append(standard_input)
        if command[0] in self.lacks or any(word in line for word in self.fails):
            raise CommandError(f"{command[0]} ended with status 1")
        if command[:2] == ["terraform", "plan"]:
            return 0 if self.plans[0] is None else 2
        return 0

    def output(self, command: Sequence[str], *, folder: Path | None = None) -> str:
        if command[0] in self.lacks:
            raise CommandError(f"{command[0]} can't be run: No such file or directory")
        if command[:2] == ["terraform", "show"]:
            return json.dumps(self.plans.pop(0) or document())
        if command[:2] == ["terraform", "output"]:
            return json.dumps({name: {"value": value} for name, value in self.outputs.items()})
        return ""

    def lines(self, *words: str) -> list[str]:
        """What was run of some programs."""
        return [line for line in self.ran if line.startswith(words)]
