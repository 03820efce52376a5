"""What came in of a date since Dagster knows of it: the sum that each materialization of `manifests` has."""

from dataclasses import dataclass

import dagster as dg

from ndjson_pipeline.sensors.lambda_report import DateCounts

ACCEPTED = "date_files_accepted"
REFUSED = "date_files_refused"
MANIFESTS = "date_manifests_created"


@dataclass(frozen=True)
class Arrived:
    """Counts of a date.

    Attributes:
        accepted: files that were taken in.
        refused: files that were not.
        manifests: that were committed.
    """

    accepted: int = 0
    refused: int = 0
    manifests: int = 0

    def plus(self, counts: DateCounts) -> "Arrived":
        """Return these and what further reports say."""
        return Arrived(
            self.accepted + counts.files_processed,
            self.refused + counts.files_quarantined,
            self.manifests + counts.manifests_created,
        )

    @property
    def metadata(self) -> dict[str, dg.MetadataValue]:
        """The metadata that the next materialization goes on from."""
        return {
            ACCEPTED: dg.MetadataValue.int(self.accepted),
            REFUSED: dg.MetadataValue.int(self.refused),
            MANIFESTS: dg.MetadataValue.int(self.manifests),
        }


def arrived_of(instance: dg.DagsterInstance, manifests: dg.AssetKey, date_prefix: str) -> Arrived:
    """Return the sum in a date's newest materialization: one read, whatever lies before it.

    Where Dagster lost its storage it begins anew with the reports of the last two days.
    """
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(manifests, asset_partitions=[date_prefix]), limit=1
    ).records
    if not found or found[0].asset_materialization is None:
        return Arrived()
    metadata = found[0].asset_materialization.metadata

    def count(name: str) -> int:
        value = metadata.get(name)
        return value.value or 0 if isinstance(value, dg.IntMetadataValue) else 0

    return Arrived(count(ACCEPTED), count(REFUSED), count(MANIFESTS))
