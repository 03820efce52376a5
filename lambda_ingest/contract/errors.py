"""The root of ingest's errors, with those of reading what ingest wrote."""


class IngestError(Exception):
    """Something that ingest can name and an operator can act on."""


class ContractError(IngestError, ValueError):
    """Something in S3 or the tracking table has not the shape that ingest promises."""


class ManifestKeyError(ContractError):
    """A key or name is not that of a manifest."""


class ManifestFormatError(ContractError):
    """A manifest's content is not a manifest."""
