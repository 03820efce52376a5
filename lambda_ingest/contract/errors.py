"""Errors of reading what ingest wrote."""


class ContractError(ValueError):
    """Something in S3 or the tracking table has not the shape that ingest promises."""


class ManifestKeyError(ContractError):
    """A key or name is not that of a manifest."""


class ManifestFormatError(ContractError):
    """A manifest's content is not a manifest."""
