"""Errors of the conversion, one hierarchy."""


class GlueJobError(Exception):
    """The conversion, or one manifest of it, cannot be done; the message says what to do."""


class ArgumentsError(GlueJobError):
    """The job's arguments are incomplete or hold values it does not know."""


class ManifestReadError(GlueJobError):
    """A manifest's object is absent, or its content is no manifest."""


class SchemaContractError(GlueJobError):
    """The dataset's schema contract cannot be read, or cannot be extended."""


class InputReadError(GlueJobError):
    """S3 does not give an input file, although it may be there."""


class MissingInputError(InputReadError):
    """An input file is gone, or has other content than its manifest lists.

    Attributes:
        uri: the file.
        reason: which of the two, without the file's name.
    """

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(f"{uri}: {reason}")
        self.uri = uri
        self.reason = reason


class RowCountError(GlueJobError):
    """Lines in differ from rows out plus rejected records."""


class OutputWriteError(GlueJobError):
    """An object of the run cannot be written, completed or removed."""


class SparkRunError(GlueJobError):
    """Spark did not start, or lost the job."""


class ManifestsFailedError(GlueJobError):
    """At least one manifest of the run failed; the others are done."""
