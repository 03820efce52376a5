"""A deployment, step by step."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.driver.commands import Commands
from deploy.driver.errors import DeployError, RefusedError
from deploy.driver.packages import Packages
from deploy.driver.places import Repository, ScriptsBucket, require_docker
from deploy.driver.plans import Plan
from deploy.driver.terraform import Terraform

# Asks a person, and returns what they typed.
Ask = Callable[[str], str]
# Makes a client of a service in a region.
Client = Callable[[str, str], Any]

_YES = "yes"


@dataclass(frozen=True)
class Options:
    """What a person asks for.

    Attributes:
        environment: dev or prod.
        image: the name of an image that is there; None builds and pushes one.
        is_confirmed: whether the plan is applied without a question.
        smokes: whether a smoke test follows.
        ui_url: where Dagster's UI answers from here; None takes what Terraform says.
    """

    environment: str
    image: str | None = None
    is_confirmed: bool = False
    smokes: bool = True
    ui_url: str | None = None


@dataclass(frozen=True)
class Tools:
    """What a deployment works with.

    Attributes:
        commands: runs programs.
        client: makes AWS clients.
        ask: asks the person.
        say: tells the person.
        answers: whether an address answers from here.
    """

    commands: Commands
    client: Client
    ask: Ask
    say: Callable[[str], None]
    answers: Callable[[str], bool]


class DeploymentSteps:
    """Deploys: plan, ask, upload, apply, reload, smoke.

    Files and image come before what reads them: Glue's job and Dagster's services are changed only once what
    they name is there. Where the places for them are new, these are made first, alone.

    Args:
        options: what a person asks for.
        packages: what is deployed.
        terraform: of the environment.
        tools: what it works with.
    """

    def __init__(self, options: Options, packages: Packages, terraform: Terraform, tools: Tools) -> None:
        self._options = options
        self._packages = packages
        self._terraform = terraform
        self._tools = tools
        self._saved = packages.folder / f"{options.environment}.tfplan"

    def run(self, variables: dict[str, str]) -> None:
        """Do all of it.

        Args:
            variables: of the root module, besides those of the environment's file.

        Raises:
            DeployError: a step failed, or the person said no; the steps before it stand.
            ClientError, BotoCoreError: AWS did not do what was asked.
        """
        try:
            self._terraform.begin(is_new_allowed=True)
            plan = self._terraform.plan(self._saved, variables)
            if plan.is_empty:
                self._tools.say("Nothing to change.")
                # A deployment that broke off may not have sent all of them.
                self._upload(plan)
            else:
                self._apply(plan, variables)
                self._reload()
        finally:
            self._saved.unlink(missing_ok=True)
        if self._options.smokes:
            self._smoke(plan)

    def _apply(self, plan: Plan, variables: dict[str, str]) -> None:
        repository = self._repository_without_image(plan)
        if repository is not None:
            require_docker(self._tools.commands, self._packages.image_tag)
        self._confirm(f"Apply this to {self._options.environment}?")
        first = plan.filled_first
        if first:
            self._tools.say("First the places of what the rest reads:")
            if not self._terraform.plan(self._saved, variables, targets=first).is_empty:
                self._terraform.apply(self._saved)
        self._upload(plan)
        if repository is not None:
            image = repository.push(self._packages.image_tag, self._packages.image_context)
            self._tools.say(f"Pushed {image}")
        if first:
            # The plan that was shown is stale by what was made since.
            rest = self._terraform.plan(self._saved, variables)
            if rest.is_empty:
                return
            surprises = rest.unlike(plan)
            if surprises:
                self._tools.say("Not in the plan that was shown: " + ", ".join(surprises))
                self._confirm("Apply it all the same?")
        self._terraform.apply(self._saved)

    def _repository_without_image(self, plan: Plan) -> Repository | None:
        """Return the repository that has to be given the image; None where it has it, or none is needed."""
        if not plan.needs_image:
            return None
        ecr = self._tools.client("ecr", plan.region)
        repository = Repository(ecr, plan.repository, self._tools.commands)
        return None if repository.has(self._packages.image_tag) else repository

    def _upload(self, plan: Plan) -> None:
        s3 = self._tools.client("s3", plan.region)
        for bucket in plan.scripts_buckets:
            sent = ScriptsBucket(s3, bucket).upload(self._packages.glue_files)
            self._tools.say(f"{bucket}: {', '.join(sent) or 'has all files'}")

    def _confirm(self, question: str) -> None:
        if not self._options.is_confirmed and self._tools.ask(f"{question} Type {_YES}: ").strip() != _YES:
            raise RefusedError("not applied; nothing that was planned is changed")

    def _reload(self) -> None:
        """Have the UI load the code anew, where it can be reached; by itself it would say nothing."""
        url = self._options.ui_url or (self._terraform.outputs().get("dagster") or {}).get("ui_url")
        if url is None:
            self._tools.say("No UI is deployed here, so nothing is reloaded.")
            return
        if not self._tools.answers(f"{url}/server_info"):
            self._tools.say(
                f"{url} does not answer here, so it was not asked to reload. UI and daemon notice new code "
                "servers by themselves within a minute; Reload all, in the UI, shows whether all are loaded."
            )
            return
        services = [sys.executable, "-m", "ndjson_pipeline.deployment.services"]
        self._tools.commands.run([*services, "reload", "--url", url])

    def _smoke(self, plan: Plan) -> None:
        for feed in plan.feeds:
            command = [str(Path(sys.executable).with_name("ndjson-pipeline")), "smoke"]
            command += ["--env", self._options.environment, "--feed", feed, "--region", plan.region]
            try:
                self._tools.commands.run(command)
            except DeployError as error:
                raise DeployError(
                    f"deployed, but the smoke test of {feed or 'the stream without a name'} failed: {error}"
                ) from error
