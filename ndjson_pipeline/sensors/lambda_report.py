"""The Lambda report as a value."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import islice

from lambda_ingest.contract.text import printable
from ndjson_pipeline.errors import ReportFormatError

# An invocation gets at most 10,000 messages, of one date each or few.
_MOST_DATES = 10_000
_LONGEST_DATE = 40
# Far more than an invocation can do; a number beyond it is no count.
_MOST = 10**9


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
    shown = printable(uri)
    try:
        dates = json.loads(content)["dates"]
        return {
            # What is no date is said to be no partition, and the others count.
            printable(date_prefix, _LONGEST_DATE): DateCounts(
                files_processed=_count(counts["files_processed"]),
                files_quarantined=_count(counts["files_quarantined"]),
                manifests_created=_count(counts["manifests_created"]),
                reports=1,
                last_report=shown,
            )
            for date_prefix, counts in islice(dates.items(), _MOST_DATES)
        }
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        reason = printable(f"{type(error).__name__} {error}")
        raise ReportFormatError(f"the Lambda report {shown} has another shape: {reason}") from error


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError(f"expected a whole number of at least 0, got {printable(repr(value), 100)}")
    return value


def sum_counts(counts: Iterable[DateCounts]) -> DateCounts:
    """Sum several invocations' counts of one date; at least one."""
    return reduce(DateCounts.plus, counts)
