"""What policies allow, and what of it calls on record need.

As far as the roles of this project go: allowances by action and ARN. A condition narrows an allowance, and is
left out.
"""

import fnmatch
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline_tests.permissions.needs import Need

_BUCKETS = ("input", "manifest", "output", "quarantine", "scripts")


@dataclass(frozen=True, order=True)
class Allowance:
    """One action on what a pattern fits.

    Attributes:
        action: such as `s3:GetObject`.
        resource: an ARN, with `*` for any text.
    """

    action: str
    resource: str

    def covers(self, action: str, arn: str) -> bool:
        """Tell whether it allows an action on a resource."""
        return fnmatch.fnmatchcase(action, self.action) and fnmatch.fnmatchcase(arn, self.resource)


def allowances(policy: str) -> Iterator[Allowance]:
    """Yield what a policy document allows, an action and a resource at a time."""
    document: Mapping[str, Any] = json.loads(policy)
    for statement in _listed(document["Statement"]):
        if statement["Effect"] != "Allow":
            continue
        for action in _listed(statement["Action"]):
            for resource in _listed(statement["Resource"]):
                yield Allowance(action, resource)


def arns_of(need: Need, names: Names, region: str = "us-east-1") -> list[str]:
    """Return an example of each ARN that a need is about.

    Raises:
        KeyError: the need is about something that has no ARN here yet.
    """
    kind, _, place = need.resource.partition("/")
    if kind == "function":
        return [f"arn:aws:lambda:{region}:{names.account}:function:{_function(names, place)}"]
    if kind in _BUCKETS:
        bucket = f"arn:aws:s3:::{getattr(names, f'{kind}_bucket')}"
        # What an input key begins with is a setting; the policies have the default. The contract is the one
        # object below schemas/ that others than the Glue job write.
        examples = {
            "input/*": "pipeline/input/example",
            "manifest/schemas/*": f"schemas/{names.output_bucket}/schema.json",
        }
        within = examples.get(need.resource, place.replace("*", "example"))
        return [f"{bucket}/{within}" if place else bucket]
    at = f"{region}:{names.account}"
    table = f"arn:aws:dynamodb:{at}:table/{names.tracking_table}"
    catalog = f"arn:aws:glue:{at}"
    known = {
        "tracking": [f"{table}/{place}" if place else table],
        "metrics": [f"arn:aws:dynamodb:{at}:table/{names.metrics_table}"],
        "queue": [f"arn:aws:sqs:{at}:{names.queue}"],
        "dead-letter-queue": [f"arn:aws:sqs:{at}:{names.dead_letter_queue}"],
        "topic": [f"arn:aws:sns:{at}:{names.alert_topic}"],
        "glue-job": [f"arn:aws:glue:{at}:job/{names.glue_job}"],
        # And its parents: https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
        "catalog": [
            f"{catalog}:catalog",
            f"{catalog}:database/{names.catalog_database}",
            f"{catalog}:table/{names.catalog_database}/{names.catalog_table}",
        ],
        "*": ["*"],
    }
    return known[kind]


def missing(needs: Iterable[Need], granted: Iterable[Allowance], names: Names) -> list[Need]:
    """Return the needs that no allowance covers."""
    granted = list(granted)
    return sorted(
        need
        for need in needs
        if not all(any(one.covers(need.action, arn) for one in granted) for arn in arns_of(need, names))
    )


def unused(needs: Iterable[Need], granted: Iterable[Allowance], names: Names) -> list[Allowance]:
    """Return the allowances that no need has a use for."""
    used = [(need.action, arn) for need in needs for arn in arns_of(need, names)]
    return sorted(one for one in granted if not any(one.covers(action, arn) for action, arn in used))


def _function(names: Names, place: str) -> str:
    return {
        "manifest-builder": names.manifest_builder_function,
        "sweeper": names.sweeper_function,
        "generate": names.generator_function,
    }[place]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
