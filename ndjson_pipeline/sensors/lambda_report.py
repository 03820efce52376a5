"""The Lambda report as a value."""

import json
import re
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
# Refused files that are named of a date.
MOST_REFUSED = 20
_QUARANTINED = "quarantined"
_LONGEST_REASON = 200
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class DateCounts:
    """What invocations did to one date.

    Attributes:
        files_processed: files accepted.
        files_quarantined: files refused.
        manifests_created: manifests committed.
        reports: how many invocations are counted.
        last_report: the URI of the last of them.
        refused: the URI of a refused file and the reason, of the newest ones.
    """

    files_processed: int
    files_quarantined: int
    manifests_created: int
    reports: int
    last_report: str
    refused: tuple[tuple[str, str], ...] = ()

    def plus(self, other: "DateCounts") -> "DateCounts":
        """Return the sum of both, with the later one's report."""
        return DateCounts(
            self.files_processed + other.files_processed,
            self.files_quarantined + other.files_quarantined,
            self.manifests_created + other.manifests_created,
            self.reports + other.reports,
            other.last_report,
            (*self.refused, *other.refused)[-MOST_REFUSED:],
        )


def parse_lambda_report(uri: str, content: bytes) -> Mapping[str, DateCounts]:
    """Return what one invocation did, by date.

    Raises:
        ReportFormatError: it has another shape.
    """
    shown = printable(uri)
    try:
        document = json.loads(content)
        dates = document["dates"]
        refused = _refused(document.get("errors"), dates)
        return {
            # What is no date is said to be no partition, and the others count.
            printable(date_prefix, _LONGEST_DATE): DateCounts(
                files_processed=_count(counts["files_processed"]),
                files_quarantined=_count(counts["files_quarantined"]),
                manifests_created=_count(counts["manifests_created"]),
                reports=1,
                last_report=shown,
                refused=tuple(refused.get(date_prefix, ())),
            )
            for date_prefix, counts in islice(dates.items(), _MOST_DATES)
        }
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        reason = printable(f"{type(error).__name__} {error}")
        raise ReportFormatError(f"the Lambda report {shown} has another shape: {reason}") from error


def _refused(errors: object, dates: Mapping[str, Mapping[str, object]]) -> dict[str, list[tuple[str, str]]]:
    """Return the refused files of a report by date, some of each.

    The report does not say to which date it counts a refused file. It is the one in the file's key where
    files of that were refused, else the last of those that had any: what bears no date counts for the day it
    came.
    """
    with_refused = [date_prefix for date_prefix, counts in dates.items() if counts["files_quarantined"]]
    found: dict[str, list[tuple[str, str]]] = {}
    for entry in errors if isinstance(errors, list) and with_refused else ():
        if not isinstance(entry, dict) or entry.get("kind") != _QUARANTINED:
            continue
        uri = str(entry.get("subject", ""))
        date_prefix = next((date for date in _DATE.findall(uri) if date in with_refused), max(with_refused))
        if len(files := found.setdefault(date_prefix, [])) < MOST_REFUSED:
            files.append((printable(uri), printable(str(entry.get("message", "")), _LONGEST_REASON)))
    return found


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError(f"expected a whole number of at least 0, got {printable(repr(value), 100)}")
    return value


def sum_counts(counts: Iterable[DateCounts]) -> DateCounts:
    """Sum several invocations' counts of one date; at least one."""
    return reduce(DateCounts.plus, counts)
