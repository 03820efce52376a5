"""Errors of the Lambdas."""

from lambda_ingest.contract.errors import IngestError


class SettingsError(IngestError):
    """The Lambda's environment variables are missing or make no sense."""


class EventFormatError(IngestError):
    """A message's body is no S3 event; the message alone fails, and ends in the dead-letter queue."""


class SweepEventError(IngestError):
    """What the sweeper was asked makes no sense; nothing was done."""


class SequenceExhaustedError(IngestError):
    """A date has used up its manifest counter."""
