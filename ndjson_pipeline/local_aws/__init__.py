"""AWS on a laptop: moto's server with what it lacks.

Only this package knows that it is local. Everything else talks plain AWS to `AWS_ENDPOINT_URL`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ndjson_pipeline.local_aws.errors import LocalAwsError
from ndjson_pipeline.local_aws.functions.environment import lambda_environment
from ndjson_pipeline.local_aws.resources import ResourceSettings, create_resources

if TYPE_CHECKING:
    from ndjson_pipeline.local_aws.server.process import LocalAwsProcess
    from ndjson_pipeline.local_aws.server.server import LocalAws
    from ndjson_pipeline.local_aws.settings import LocalAwsSettings

__all__ = [
    "LocalAws",
    "LocalAwsError",
    "LocalAwsProcess",
    "LocalAwsSettings",
    "ResourceSettings",
    "create_resources",
    "lambda_environment",
]


# The server brings moto along, which takes a second to import; making resources does not need it.
_MODULE_OF = {
    "LocalAws": "ndjson_pipeline.local_aws.server.server",
    "LocalAwsProcess": "ndjson_pipeline.local_aws.server.process",
    "LocalAwsSettings": "ndjson_pipeline.local_aws.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
