"""Errors of the local AWS."""

from ndjson_pipeline.errors import PipelineError


class LocalAwsError(PipelineError):
    """Something about the local AWS, whose message says what to do."""


class MotoVersionError(LocalAwsError):
    """The installed moto is not the version that the patches were written for."""


class ServerStartError(LocalAwsError):
    """The server could not start, or its process died before it was ready."""


class MissingResourceError(LocalAwsError):
    """A resource that `create_resources` makes is not there."""


class JavaNotFoundError(LocalAwsError):
    """No Java 17 was found to run Spark with."""


class FunctionNotFoundError(LocalAwsError):
    """No function of that name is known."""


class StateRefusedError(LocalAwsError):
    """What a former start kept can't be gone on with."""
