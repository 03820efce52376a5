"""Failures of a manifest that nobody was told of yet, as its record keeps them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class DueAlert:
    """One failure.

    It keeps what an alert says, because the next attempt's claim removes it from the record.

    Attributes:
        run_id: the Dagster run whose attempt failed.
        attempt: that attempt.
        glue_job_run_id: its Glue run, where one was stored.
        error_message: why it failed.
        failed_time: when, UTC text.
        will_retry: whether another attempt follows by itself.
    """

    run_id: str
    attempt: int
    glue_job_run_id: str | None
    error_message: str
    failed_time: str
    will_retry: bool

    def to_values(self) -> dict[str, Any]:
        """Return the Python values of its entry; what is None is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read an entry.

        Raises:
            KeyError, TypeError, ValueError: it has another shape.
        """
        texts = {name: values[name] for name in ("run_id", "error_message", "failed_time")}
        glue_job_run_id = values.get("glue_job_run_id")
        if not all(isinstance(text, str) for text in (*texts.values(), glue_job_run_id or "")):
            raise ValueError("an alert that is due must hold its run, its reason and its time as text")
        return cls(
            **texts,
            attempt=int(values["attempt"]),
            glue_job_run_id=glue_job_run_id,
            will_retry=values["will_retry"] is True,
        )
