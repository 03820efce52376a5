"""The Lambda report as a value."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

from ndjson_pipeline.errors import ReportFormatError


@dataclass(frozen=True)
class DateCounts:
    """What invocations did to one date.

    Attributes:
        files_processed: files accepted.
        files_quarantined: files refused.
        manifests_created: manifests committed.
        reports: how many invocations are counted.
        last_report: the URI of the last of them.
    """

    files_processed: int
    files_quarantined: int
    manifests_created: int
    reports: int
    last_report: str

    def plus(self, other: "DateCounts") -> "DateCounts":
        """Return the sum of both, with the later one's report."""
        return DateCounts(
            self.files_processed + other.files_processed,
            self.files_quarantined + other.files_quarantined,
            self.manifests_created + other.manifests_created,
            self.reports + other.reports,
            other.last_report,
        )


def parse_lambda_report(uri: str, content: bytes) -> Mapping[str, DateCounts]:
    """Return what one invocation did, by date.

    Raises:
        ReportFormatError: it has another shape.
    """
    try:
        document = json.loads(content)
        return {
            str(date_prefix): DateCounts(
                files_processed=int(counts["files_processed"]),
                files_quarantined=int(counts["files_quarantined"]),
                manifests_created=int(counts["manifests_created"]),
                reports=1,
                last_report=uri,
            )
            for date_prefix, counts in document["dates"].items()
        }
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ReportFormatError(
            f"the Lambda report {uri} has another shape: {type(error).__name__} {error}"
        ) from error


def sum_counts(counts: Iterable[DateCounts]) -> DateCounts:
    """Sum several invocations' counts of one date; at least one."""
    return reduce(DateCounts.plus, counts)
