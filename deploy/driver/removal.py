"""Takes everything away again, after a person has seen what, and typed where."""

from pathlib import Path

from deploy.driver.deployment import Tools
from deploy.driver.errors import RefusedError
from deploy.driver.places import is_empty
from deploy.driver.plans import SCRIPTS, Plan, counted
from deploy.driver.terraform import Terraform

DELETE_DATA = "DELETE_DATA=1"


class Removal:
    """Plans the end, refuses it where data would go, asks, and does it.

    Args:
        environment: dev or prod.
        terraform: of the environment.
        tools: what it works with.
        folder: where the plan is kept meanwhile.
    """

    def __init__(self, environment: str, terraform: Terraform, tools: Tools, folder: Path) -> None:
        self._environment = environment
        self._terraform = terraform
        self._tools = tools
        self._saved = folder / f"{environment}-removal.tfplan"

    def run(self, variables: dict[str, str], *, deletes_data: bool, confirmed: str | None) -> None:
        """Do it.

        Args:
            variables: of the root module, besides those of the environment's file.
            deletes_data: whether buckets go that hold something.
            confirmed: the environment's name, where the person has typed it already.

        Raises:
            RefusedError: there is data, or the person said no; nothing was taken away.
            DeployError: Terraform failed; what was taken away by then is gone.
            ClientError, BotoCoreError: AWS did not say what the buckets hold.
        """
        try:
            self._terraform.begin(is_new_allowed=False)
            buckets = self._scripts_buckets()
            plan = self._terraform.plan(self._saved, variables, is_removal=True)
            if plan.is_empty:
                self._tools.say(f"There is nothing of {self._environment}.")
                return
            self._tools.say("\n".join(["This goes:", *counted(plan.changes)]))
            self._guard_data(plan, buckets, deletes_data=deletes_data)
            name = confirmed if confirmed is not None else self._ask()
            if name.strip() != self._environment:
                raise RefusedError(f"that is not {self._environment}; nothing was taken away")
            self._terraform.apply(self._saved)
        finally:
            self._saved.unlink(missing_ok=True)

    def _guard_data(self, plan: Plan, scripts: set[str], *, deletes_data: bool) -> None:
        s3 = self._tools.client("s3", plan.region)
        holding = [bucket for bucket in sorted(plan.removed_buckets) if not is_empty(s3, bucket)]
        kept = [bucket for bucket in holding if not plan.removed_buckets[bucket]]
        if kept:
            raise RefusedError(
                f"{', '.join(kept)} hold something, and are protected; set protect = false in "
                f"{self._environment}.tfvars and deploy that first, or empty them"
            )
        # The scripts are in build/, and in the history of the sources.
        data = [bucket for bucket in holding if bucket not in scripts]
        if data and not deletes_data:
            raise RefusedError(f"{', '.join(data)} hold data, which would be gone; pass {DELETE_DATA}")
        if data:
            self._tools.say(f"With all that is in {', '.join(data)}.")

    def _scripts_buckets(self) -> set[str]:
        buckets = self._terraform.outputs().get("buckets") or {}
        return {of_feed[SCRIPTS] for of_feed in buckets.values()}

    def _ask(self) -> str:
        return self._tools.ask(f"Type {self._environment} to take it away: ")
