"""EC2: rules of security groups that keep what they say of themselves."""

import inspect
from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule

from ndjson_pipeline.local_aws.moto_patches.registry import Services, replaces


@replaces(SecurityGroupRule, "__init__")
def _rules_keep_their_descriptions(original: Any, _services: Services) -> Any:
    """Stock moto forgets the description of a rule that names a security group or a prefix list."""

    def initialize(rule: Any, *arguments: Any, **named: Any) -> None:
        original(rule, *arguments, **named)
        given = inspect.signature(original).bind(rule, *arguments, **named).arguments
        # Where a block of addresses has it; the rule's description is read from there.
        for peer in (given.get("source_group"), given.get("prefix_list_id")):
            if peer and "Description" in peer:
                rule.ip_range = {**rule.ip_range, "Description": peer["Description"]}

    return initialize
