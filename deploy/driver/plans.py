"""What Terraform plans, read from `terraform show -json`; pure.

https://developer.hashicorp.com/terraform/internals/json-format
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.driver.errors import DeployError

SCRIPTS = "scripts"
_REPOSITORY = "aws_ecr_repository"
_BUCKET = "aws_s3_bucket"
_NOTHING = (["no-op"], ["read"])


@dataclass(frozen=True)
class Change:
    """One resource that changes.

    Attributes:
        address: Terraform's, such as `module.feed[""].aws_s3_bucket.this["input"]`.
        kind: such as `aws_s3_bucket`.
        actions: create, update, delete; two of them where it is replaced.
        before: its attributes now; empty where it is new.
        after: its attributes then, as far as they are known; empty where it goes.
    """

    address: str
    kind: str
    actions: tuple[str, ...]
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """A plan.

    Attributes:
        changes: of resources, without those that stay.
        variables: of the root module.
        outputs: of the root module as they will be, as far as they are known.
        is_empty: whether Terraform finds nothing to do.
    """

    changes: tuple[Change, ...]
    variables: Mapping[str, Any]
    outputs: Mapping[str, Any]
    is_empty: bool = False

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, is_empty: bool = False) -> "Plan":
        """Read what `terraform show -json` prints of a plan."""
        changes = [
            Change(
                address=one["address"],
                kind=one["type"],
                actions=tuple(one["change"]["actions"]),
                before=one["change"].get("before") or {},
                after=one["change"].get("after") or {},
            )
            for one in document.get("resource_changes", [])
            if one["mode"] == "managed" and one["change"]["actions"] not in _NOTHING
        ]
        return cls(
            changes=tuple(changes),
            variables={name: one.get("value") for name, one in document.get("variables", {}).items()},
            outputs={
                name: one.get("after") or {} for name, one in document.get("output_changes", {}).items()
            },
            is_empty=is_empty,
        )

    @property
    def region(self) -> str:
        """Where everything is."""
        return str(self.variables["region"])

    @property
    def feeds(self) -> tuple[str, ...]:
        """The streams that there will be; one may have the empty name."""
        return tuple(sorted(self.outputs.get("buckets") or {}))

    @property
    def scripts_buckets(self) -> tuple[str, ...]:
        """Each feed's bucket of the Glue job's files."""
        return tuple(self.outputs["buckets"][feed][SCRIPTS] for feed in self.feeds)

    @property
    def needs_image(self) -> bool:
        """Whether Dagster's services take an image from the repository that Terraform makes."""
        return bool(self.variables.get("deploy_dagster")) and not self.variables.get("dagster_image")

    @property
    def repository(self) -> str:
        """The name of that repository, which may have to be made.

        Raises:
            DeployError: the plan has none.
        """
        for change in self.changes:
            if change.kind == _REPOSITORY and "create" in change.actions:
                return str(change.after["name"])
        url = (self.outputs.get("dagster") or {}).get("repository_url")
        if not url:
            raise DeployError("Terraform makes no repository of the image, and names none; pass IMAGE=...")
        return str(url).partition("/")[2]

    @property
    def filled_first(self) -> tuple[str, ...]:
        """What has to be there before the rest is made: new places of files that the rest will read."""
        buckets = set(self.scripts_buckets)
        return tuple(
            change.address
            for change in self.changes
            if "create" in change.actions
            and (
                change.kind == _REPOSITORY
                or (change.kind == _BUCKET and change.after.get("bucket") in buckets)
            )
        )

    def unlike(self, other: "Plan") -> list[str]:
        """Return what this changes and another does not, or otherwise."""
        known = {(change.address, change.actions) for change in other.changes}
        return [
            f"{'/'.join(change.actions)} {change.address}"
            for change in self.changes
            if (change.address, change.actions) not in known
        ]

    @property
    def removed_buckets(self) -> dict[str, bool]:
        """Buckets that go, by name; whether Terraform removes one with what is in it."""
        return {
            str(change.before["bucket"]): bool(change.before.get("force_destroy"))
            for change in self.changes
            if change.kind == _BUCKET and "delete" in change.actions
        }


def counted(changes: Sequence[Change]) -> list[str]:
    """Return how many resources of each kind change, for people."""
    counts = Counter(change.kind for change in changes)
    return [f"{count:>4}  {kind}" for kind, count in sorted(counts.items())]
