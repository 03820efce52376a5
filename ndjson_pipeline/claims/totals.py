"""A date's totals: what its manifests' output holds, and what Glue worked for it, in one item of the table.

To sum up a date's records would cost its history at every run. So whoever completes manifests adds their
numbers to the date's item in the same transaction, and each manifest's record keeps what it added: where it
is converted again its new numbers take the place of the former ones. While that goes on, and where it fails,
the former output lies where it was, and the totals say so: they are at any time what the date's output holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, Self

# Partitions of their own, so that no query of a date meets them; sparse indexes do not hold them either.
_PARTITION_PREFIX = "TOTALS#"
_TOTALS_FILE_KEY = "TOTALS"
_GLUE_FILE_KEY_PREFIX = "GLUE#"


# A Parquet file has some KB of its own, beside which the records of a smaller input are nothing: the share
# that was saved would tell of those, and be far below zero.
LEAST_BYTES_TO_COMPARE = 100 * 1024


@dataclass(frozen=True)
class ManifestNumbers:
    """What the output of one manifest holds, or that of several.

    Attributes:
        records_read: lines in.
        records_processed: rows out.
        records_rejected: lines that became no row.
        records_rescued: rows of which something did not fit its column.
        parquet_files: how many.
        input_bytes: bytes read.
        output_bytes: bytes written.
        input_files: files that the manifests list.
    """

    records_read: int = 0
    records_processed: int = 0
    records_rejected: int = 0
    records_rescued: int = 0
    parquet_files: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    input_files: int = 0

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read the attributes of the same names; what is absent counts as none.

        Raises:
            ValueError: an attribute is no number.
            TypeError: likewise.
        """
        return cls(**{one.name: int(item.get(one.name, 0)) for one in fields(cls)})

    def to_item(self) -> dict[str, int]:
        """Write the attributes."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True)
class Counted:
    """What a manifest's record says of its part in the totals.

    Attributes:
        attempt: the attempt that was completed.
        numbers: what it added; None where no report told.
    """

    attempt: int
    numbers: ManifestNumbers | None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read what `to_item` wrote.

        Raises:
            KeyError: it has no attempt.
            ValueError: an attribute is no number.
            TypeError: likewise.
        """
        is_reported = item.get("is_reported") is True
        return cls(int(item["attempt"]), ManifestNumbers.from_item(item) if is_reported else None)

    def to_item(self) -> dict[str, Any]:
        """Write it for the record."""
        numbers = {} if self.numbers is None else self.numbers.to_item()
        return {"attempt": self.attempt, "is_reported": self.numbers is not None, **numbers}

    def added(self) -> dict[str, int]:
        """Return what it adds to the totals, by their attributes."""
        numbers = self.numbers or ManifestNumbers()
        return {"manifests": 1, "manifests_unreported": int(self.numbers is None), **numbers.to_item()}


@dataclass(frozen=True)
class GlueCharge:
    """What a Glue run worked for one date; counted once, whoever settles it and how often.

    Attributes:
        date_prefix: the date.
        glue_job_run_id: the run.
        seconds: how long it worked.
        dpu_hours: what is billed, or None where Glue does not say enough to know.
        cost_usd: their price, or None likewise.
    """

    date_prefix: str
    glue_job_run_id: str
    seconds: float
    dpu_hours: float | None
    cost_usd: float | None

    def added(self) -> dict[str, int | Decimal]:
        """Return what it adds to the totals, by their attributes."""
        return {
            "glue_runs": 1,
            "glue_runs_unpriced": int(self.dpu_hours is None or self.cost_usd is None),
            "glue_seconds": _decimal(self.seconds),
            "dpu_hours": _decimal(self.dpu_hours or 0.0),
            "cost_usd": _decimal(self.cost_usd or 0.0),
        }


@dataclass(frozen=True)
class DateTotals:
    """The totals of a date.

    Attributes:
        manifests: how many have their output there.
        manifests_unreported: of those, how many ended without a report; their records are not in the numbers.
        numbers: of all others.
        glue_runs: how many worked for the date.
        glue_runs_unpriced: of those, how many have no known price.
        glue_seconds: how long they worked.
        dpu_hours: what is billed of those whose price is known.
        cost_usd: their price.
        revision: counts the changes.
    """

    manifests: int = 0
    manifests_unreported: int = 0
    numbers: ManifestNumbers = field(default_factory=ManifestNumbers)
    glue_runs: int = 0
    glue_runs_unpriced: int = 0
    glue_seconds: float = 0.0
    dpu_hours: float = 0.0
    cost_usd: float = 0.0
    revision: int = 0

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read a date's item; what is absent counts as none."""
        return cls(
            manifests=int(item.get("manifests", 0)),
            manifests_unreported=int(item.get("manifests_unreported", 0)),
            numbers=ManifestNumbers.from_item(item),
            glue_runs=int(item.get("glue_runs", 0)),
            glue_runs_unpriced=int(item.get("glue_runs_unpriced", 0)),
            glue_seconds=float(item.get("glue_seconds", 0)),
            dpu_hours=float(item.get("dpu_hours", 0)),
            cost_usd=float(item.get("cost_usd", 0)),
            revision=int(item.get("revision", 0)),
        )


def parse_counted(record_item: Mapping[str, Any]) -> Counted | None:
    """Read the attribute `counted` of a manifest's record; None where it counts in no totals yet.

    Raises:
        KeyError: it has no attempt.
        ValueError: an attribute is no number.
        TypeError: likewise.
        AttributeError: it is no mapping.
    """
    item = record_item.get("counted")
    return None if item is None else Counted.from_item(item)


def totals_key(date_prefix: str) -> dict[str, str]:
    """Return the key of a date's totals."""
    return {"date_prefix": f"{_PARTITION_PREFIX}{date_prefix}", "file_key": _TOTALS_FILE_KEY}


def glue_charge_key(charge: GlueCharge) -> dict[str, str]:
    """Return the key of the item that says that a charge is counted."""
    return {
        "date_prefix": f"{_PARTITION_PREFIX}{charge.date_prefix}",
        "file_key": f"{_GLUE_FILE_KEY_PREFIX}{charge.glue_job_run_id}",
    }


def difference(new: Counted, former: Counted | None) -> dict[str, int]:
    """Return what the totals gain where a manifest's new numbers take the place of its former ones."""
    lost = {} if former is None else former.added()
    return {name: value - lost.get(name, 0) for name, value in new.added().items()}


def sum_of(additions: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up what several manifests change."""
    total: dict[str, int] = {}
    for addition in additions:
        for name, value in addition.items():
            total[name] = total.get(name, 0) + value
    return total


def _decimal(number: float) -> Decimal:
    # DynamoDB keeps decimal digits; a millionth of a second, an hour or a dollar is enough.
    return Decimal(str(round(number, 6)))


def saved_percent(input_bytes: float, output_bytes: float, parquet_files: int) -> float | None:
    """Return the share of the input's bytes that its Parquet saves, in percent.

    Args:
        input_bytes: bytes read.
        output_bytes: bytes written.
        parquet_files: in so many files.

    Returns:
        The share; None where there are no files, or they are too small for it to say something.
    """
    if not parquet_files or input_bytes / parquet_files < LEAST_BYTES_TO_COMPARE:
        return None
    return 100 * (1 - output_bytes / input_bytes)
