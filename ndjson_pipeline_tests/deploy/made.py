"""What Terraform would make, as its tests ask for it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Made:
    """What Terraform would make: each resource's values, by its address."""

    resources: Mapping[str, Mapping[str, Any]]

    def of(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """Return the resources of a kind, by what tells them apart."""
        found = {}
        for address, values in self.resources.items():
            if matched := re.fullmatch(rf'{re.escape(kind)}(?:\.([a-z_0-9]+))?(?:\["?(.*?)"?\])?', address):
                found[".".join(filter(None, matched.groups()))] = values
        return found

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return each container's definition, by its name."""
        return {
            container["name"]: container
            for task in self.of("aws_ecs_task_definition").values()
            for container in json.loads(task["container_definitions"])
        }

    def environment(self, container: str) -> dict[str, str]:
        """Return a container's variables."""
        return {pair["name"]: pair["value"] for pair in self.containers()[container]["environment"]}

    @property
    def lists(self) -> dict[str, Mapping[str, Any]]:
        """The prefix lists that were asked for."""
        return self.of("data.aws_ec2_managed_prefix_list")

    def talks(self, direction: str) -> set[tuple[str, str, int]]:
        """Return the rules of a direction: the group, whom it talks to, and by which port."""
        names = {
            values["id"]: name.removeprefix("component.").removesuffix(".0")
            for name, values in self.of("aws_security_group").items()
        } | {values["id"]: name.rpartition(".")[2] for name, values in self.lists.items()}
        found = set()
        for rule in self.of(f"aws_vpc_security_group_{direction}_rule").values():
            assert (rule["ip_protocol"], rule["from_port"]) == ("tcp", rule["to_port"])
            peer = rule["referenced_security_group_id"] or rule["prefix_list_id"]
            other = names[peer] if peer else rule["cidr_ipv4"]
            found.add((names[rule["security_group_id"]], other, rule["from_port"]))
        return found
