"""What a feed is to Dagster, which several feeds share: the keys of its assets, its pool, its runs."""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from ndjson_pipeline.deployment.names import GLUE_POOL

# On the runs of a feed that has a name; without one a run has no such tag.
FEED_TAG = "ndjson/feed"
# What Dagster calls the job of runs that are launched from an asset's page, and of backfills.
IMPLICIT_ASSET_JOB = "__ASSET_JOB"


@dataclass(frozen=True)
class Feed:
    """One stream, beside others on the same Dagster.

    Attributes:
        name: its name; empty for the one that has none.
    """

    name: str = ""

    @property
    def raw_ndjson(self) -> dg.AssetKey:
        """The files in the input bucket."""
        return self._key("raw_ndjson")

    @property
    def manifests(self) -> dg.AssetKey:
        """What the Lambda commits."""
        return self._key("manifests")

    @property
    def merged_parquet(self) -> dg.AssetKey:
        """What Glue makes of it."""
        return self._key("merged_parquet")

    @property
    def pool(self) -> str:
        """The pool whose places its runs hold while they convert."""
        return self.name or GLUE_POOL

    @property
    def run_tags(self) -> Mapping[str, str]:
        """The tags that every run of its jobs bears."""
        return {FEED_TAG: self.name} if self.name else {}

    def owns(self, run: dg.DagsterRun, location: str | None = None) -> bool:
        """Tell whether a run is of this feed, however it was launched.

        Jobs have the same names in each feed's code location, so a name tells nothing. A run that names
        assets is told by their keys, and a run of a job by the job's tag. One of all assets of a code
        location has neither, and is told by where it came from.

        Args:
            run: of any code location of the instance.
            location: the name of this feed's code location, where that is known.
        """
        if run.asset_selection:
            return not run.asset_selection.isdisjoint({self.raw_ndjson, self.manifests, self.merged_parquet})
        if run.job_name != IMPLICIT_ASSET_JOB or FEED_TAG in run.tags:
            return run.tags.get(FEED_TAG, "") == self.name
        origin = run.remote_job_origin
        came_from = origin.repository_origin.code_location_origin.location_name if origin else None
        return location is None or came_from is None or came_from == location

    def _key(self, asset: str) -> dg.AssetKey:
        return dg.AssetKey([self.name, asset] if self.name else [asset])
