"""Which reports a materialization of `manifests` counts, written so that a person need not read it.

A mark is the beginning of a report's SHA-256: of 500 reports two have the same once in two thousand million
times.
"""

import hashlib
from collections.abc import Iterable

import dagster as dg

from lambda_ingest.contract.keys import LAMBDA_REPORT_PREFIX
from lambda_ingest.contract.text import printable

COUNTED_REPORTS = "counted_reports"
_MARKS = "marks"
_LENGTH = 12


def mark_of(key: str) -> str:
    """Return the mark of a report, by its key."""
    report_id = printable(key.removeprefix(LAMBDA_REPORT_PREFIX).removesuffix(".json"))
    return hashlib.sha256(report_id.encode()).hexdigest()[:_LENGTH]


def counted_value(keys: Iterable[str]) -> dg.JsonMetadataValue:
    """Return the metadata of some reports, by their keys."""
    return dg.MetadataValue.json({_MARKS: "".join(sorted(map(mark_of, keys)))})


def marks_of(value: dg.MetadataValue | None) -> set[str]:
    """Return the marks that metadata has; none where it is of another shape."""
    data = value.data if isinstance(value, dg.JsonMetadataValue) else None
    marks = data.get(_MARKS) if isinstance(data, dict) else None
    if not isinstance(marks, str):
        return set()
    return {marks[start : start + _LENGTH] for start in range(0, len(marks), _LENGTH)}
