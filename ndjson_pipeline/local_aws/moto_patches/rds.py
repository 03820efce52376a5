"""RDS: parameters that are told apart from the engine's defaults."""

from collections.abc import Iterable
from typing import Any

from moto.rds.models import DBParameterGroup

from ndjson_pipeline.local_aws.moto_patches.registry import Services, replaces


@replaces(DBParameterGroup, "update_parameters")
def _changed_parameters_are_the_users(original: Any, _services: Services) -> Any:
    """Stock moto does not say that a changed parameter is the user's, so that nobody sees the change."""

    def update_parameters(group: Any, new_parameters: Iterable[dict[str, Any]]) -> None:
        original(group, [{**parameter, "Source": "user"} for parameter in new_parameters])

    return update_parameters
