"""Errors of the conversion, one hierarchy."""


class GlueJobError(Exception):
    """The conversion, or one manifest of it, cannot be done; the message says what to do."""


class ArgumentsError(GlueJobError):
    """The job's arguments are incomplete or hold values it does not know."""


class ManifestReadError(GlueJobError):
    """A manifest's object is absent, or its content is no manifest."""


class InputReadError(GlueJobError):
    """An input file cannot be read as its manifest lists it."""


class RejectedRecordsError(GlueJobError):
    """An input file holds lines that are no records."""


class SchemaConflictError(GlueJobError):
    """A column holds values of types that no column type holds together."""


class ReservedColumnError(GlueJobError):
    """An input column bears the name of a column that the conversion adds."""


class RowCountError(GlueJobError):
    """Lines in differ from rows out plus rejected records."""


class OutputWriteError(GlueJobError):
    """The output folder cannot be brought to the state that the manifest asks for."""


class SparkRunError(GlueJobError):
    """Spark did not start, or lost the job."""


class ManifestsFailedError(GlueJobError):
    """At least one manifest of the run failed; the others are done."""
