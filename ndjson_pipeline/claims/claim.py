"""A run's right to change a manifest's record."""

from dataclasses import dataclass

from ndjson_pipeline.claims.record import ManifestRecord


@dataclass(frozen=True)
class Claim:
    """A run's right to change a record: it holds until a later attempt claims it.

    Attributes:
        record: the record as it was claimed, its attempt already counted.
        run_id: the Dagster run that holds it.
        begun_at: when the attempt was first claimed, UTC text, where this claim goes on with one that an
            earlier process began; None where the attempt is new.
    """

    record: ManifestRecord
    run_id: str
    begun_at: str | None = None

    @property
    def attempt(self) -> int:
        """The attempt that this claim is."""
        return self.record.attempt
