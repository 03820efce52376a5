"""Errors of the conversion, one hierarchy."""

from lambda_ingest.contract.text import printable

# Keys have up to 1,024 bytes; a message that names some and quotes S3 fits.
_LONGEST_MESSAGE = 20_000


class GlueJobError(Exception):
    """The conversion, or one manifest of it, cannot be done; the message says what to do.

    As text it is one line: keys and S3's answers come from outside, and it goes into logs and reports.
    """

    def __str__(self) -> str:
        """Return the message, printable."""
        return printable(super().__str__(), _LONGEST_MESSAGE)


class ArgumentsError(GlueJobError):
    """The job's arguments are incomplete or hold values it does not know."""


class ManifestReadError(GlueJobError):
    """A manifest's object is absent, or its content is no manifest."""


class ManifestRefusedError(ManifestReadError):
    """A manifest is not what was committed, or lists what the job may not read; nothing of it was read."""


class SchemaContractError(GlueJobError):
    """The dataset's schema contract cannot be read, or cannot be extended."""


class SchemaChangeError(SchemaContractError):
    """A change of the schema contract by hand is none that can be made."""


class CatalogError(GlueJobError):
    """The dataset's table in the Data Catalog cannot be brought to the contract; its rows are there."""


class InputReadError(GlueJobError):
    """S3 does not give an input file, although it may be there."""


class MissingInputError(InputReadError):
    """An input file can't be read for good (gone, denied, archived), or is other than its manifest lists.

    Attributes:
        uri: the file.
        reason: which of these, without the file's name.
    """

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(f"{uri}: {reason}")
        self.uri = uri
        self.reason = printable(reason)


class RowCountError(GlueJobError):
    """Lines in differ from rows out plus rejected records."""


class OutputWriteError(GlueJobError):
    """An object of the run cannot be written, completed or removed."""


class OutputReplacedError(OutputWriteError):
    """An object that was to be removed is another one by now; it stays."""


class CommitHeldError(GlueJobError):
    """Another run makes a manifest's output visible under other names, or has done so meanwhile."""


class SparkRunError(GlueJobError):
    """Spark did not start, or lost the job."""


class ManifestsFailedError(GlueJobError):
    """At least one manifest of the run failed; the others are done."""
