"""Whether the Parquet files that a report names are there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.keys import ManifestName, s3_uri, split_s3_uri
from lambda_ingest.contract.records import BYTES_PER_MB
from ndjson_pipeline.glue.report import GlueReport, ManifestOutcome, ReportedFile

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_MOST_NAMED = 5


class Outputs:
    """The output bucket.

    Args:
        s3: the client.
        bucket: has the Parquet files.
    """

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def confirmed(self, report: GlueReport) -> GlueReport:
        """Return a report in which a manifest is completed only if its files are there, as large as it says.

        Costs a listing of a thousand keys for each manifest at most, and one for many whose files lie side by
        side, as those of one run do.

        Raises:
            ClientError, BotoCoreError: S3 does not list them.
        """
        completed = [one for one in report.manifests.values() if one.is_completed]
        sizes = self._sizes([file.path for one in completed for file in one.files])
        missing = {one.manifest_path: self._problem(one, sizes) for one in completed}
        return replace(
            report,
            manifests={
                path: replace(one, missing_output=missing.get(path)) for path, one in report.manifests.items()
            },
        )

    def _problem(self, outcome: ManifestOutcome, sizes: Mapping[str, int]) -> str | None:
        """Say which of a manifest's files are not there; None where all are."""
        wrong = [
            file.path
            for file in outcome.files
            if file.path not in sizes
            or round(sizes[file.path] / BYTES_PER_MB, 6) != file.size_mb
            or not self._is_of(file, outcome.manifest_path)
        ]
        if not wrong:
            return None
        named = ", ".join(wrong[:_MOST_NAMED])
        return f"{len(wrong)} of {len(outcome.files)} output files are not there as reported: {named}"

    def _is_of(self, file: ReportedFile, manifest_path: str) -> bool:
        """Tell whether a file bears the name that a manifest's output has."""
        try:
            name = ManifestName.from_uri(manifest_path)
        except ManifestKeyError:
            return False
        folder, _, filename = file.path.rpartition("/")
        stem = f"part-{name.sequence:06d}-{name.digest}-"
        return folder.endswith(f"/merged-parquet-{name.date_prefix}") and filename.startswith(stem)

    def _sizes(self, paths: Sequence[str]) -> dict[str, int]:
        """Return the sizes, in bytes, of those files that are there."""
        by_folder: dict[str, list[str]] = {}
        for path in paths:
            try:
                bucket, key = split_s3_uri(path)
            except ManifestKeyError:
                continue
            if bucket == self._bucket:
                by_folder.setdefault(key.rpartition("/")[0], []).append(key)
        return {
            s3_uri(self._bucket, key): size
            for folder, keys in by_folder.items()
            for key, size in self._listed(folder, sorted(keys))
        }

    def _listed(self, folder: str, wanted: list[str]) -> Iterator[tuple[str, int]]:
        known = set(wanted)
        while wanted:
            # S3 begins after the key it is given; so the wanted one's last character is left out.
            answer = self._s3.list_objects_v2(
                Bucket=self._bucket, Prefix=f"{folder}/", StartAfter=wanted[0][:-1]
            )
            contents = answer.get("Contents", [])
            yield from ((each["Key"], each["Size"]) for each in contents if each["Key"] in known)
            if not answer.get("IsTruncated") or not contents:
                return
            last = contents[-1]["Key"]
            wanted = [key for key in wanted if key > last]
