"""What a load would do, counted; pure, and of bounded size however many files there are."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lambda_ingest.contract.records import BYTES_PER_MB
from ndjson_pipeline.loading.judging import Fate, Judged

_EXAMPLES = 3
_MOST_RENAMED = 100


@dataclass
class DatePlan:
    """A date's files.

    Attributes:
        files: how many there are of each fate.
        size_bytes: of those that are loaded.
    """

    files: Counter[Fate] = field(default_factory=Counter)
    size_bytes: int = 0


@dataclass
class Plan:
    """All files that were looked at.

    Attributes:
        dates: those of a date, by date; dates in order of their first file.
        fates: how many there are of each fate.
        size_bytes: of those that are loaded.
        reasons: why others are not, by fate and kind.
        examples: some names, by fate and kind.
        details: the whole reason of the first, by fate and kind.
        renamed: files that get another name, the first ones: from and to.
        renamed_count: how many get one.
        to_copy: how many lie elsewhere, and are copied or put.
        unseen: what could not be looked up.
    """

    dates: dict[str, DatePlan] = field(default_factory=dict)
    fates: Counter[Fate] = field(default_factory=Counter)
    size_bytes: int = 0
    reasons: Counter[tuple[Fate, str]] = field(default_factory=Counter)
    examples: dict[tuple[Fate, str], list[str]] = field(default_factory=dict)
    details: dict[tuple[Fate, str], str] = field(default_factory=dict)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    renamed_count: int = 0
    to_copy: int = 0
    unseen: list[str] = field(default_factory=list)

    def add(self, judged: Iterable[Judged], *, most_renamed: int = _MOST_RENAMED) -> None:
        """Count files."""
        for one in judged:
            self.fates[one.fate] += 1
            if one.date_prefix:
                self.dates.setdefault(one.date_prefix, DatePlan()).files[one.fate] += 1
            if one.fate is Fate.LOAD:
                self.size_bytes += one.source.size_bytes
                self.dates[one.date_prefix].size_bytes += one.source.size_bytes
                self.to_copy += not one.is_in_place
                self._note_name(one, most_renamed)
            if one.reason:
                self._note_reason(one)

    @property
    def files(self) -> int:
        """How many were looked at."""
        return self.fates.total()

    @property
    def to_load(self) -> int:
        """How many go through the queue."""
        return self.fates[Fate.LOAD]

    @property
    def size_mb(self) -> float:
        """Of those, in MB of 1,048,576 bytes."""
        return self.size_bytes / BYTES_PER_MB

    def hours(self, rate: float) -> float:
        """How long they take at so many files a second."""
        return self.to_load / rate / 3600

    def manifests(self, max_files: int) -> int:
        """About how many manifests they become: full ones, and one of a rest for each date."""
        return sum(math.ceil(day.files[Fate.LOAD] / max_files) for day in self.dates.values())

    def to_document(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "files": self.files,
            "fates": {fate.value: self.fates[fate] for fate in Fate},
            "megabytes": round(self.size_mb, 3),
            "dates": {
                date: {
                    **{fate.value: day.files[fate] for fate in Fate if day.files[fate]},
                    "megabytes": round(day.size_bytes / BYTES_PER_MB, 3),
                }
                for date, day in sorted(self.dates.items())
            },
            "reasons": [
                {
                    "fate": fate.value,
                    "reason": kind,
                    "detail": self.details[fate, kind],
                    "files": count,
                    "examples": self.examples[fate, kind],
                }
                for (fate, kind), count in self.reasons.most_common()
            ],
            "renamed": self.renamed_count,
            "names": [{"from": old, "to": new} for old, new in self.renamed],
            "copies": self.to_copy,
            "unseen": self.unseen,
        }

    def _note_name(self, one: Judged, most: int) -> None:
        old = one.source.key
        if one.is_in_place or one.target.endswith(f"/{old}"):
            return
        self.renamed_count += 1
        if len(self.renamed) < most:
            self.renamed.append((old, one.target))

    def _note_reason(self, one: Judged) -> None:
        place = (one.fate, one.kind)
        self.reasons[place] += 1
        self.details.setdefault(place, one.reason)
        examples = self.examples.setdefault(place, [])
        if len(examples) < _EXAMPLES:
            examples.append(one.source.key)
