"""What an operator sees of a sweep."""

from collections.abc import Mapping
from typing import Any

import dagster as dg


def show_answer(context: dg.OpExecutionContext, answer: Mapping[str, Any]) -> None:
    """Log a sweep's answer and keep it with the op's output.

    Raises:
        Failure: a part of the sweep failed; the failure bears the answer.
    """
    metadata = {
        "answer": dg.MetadataValue.json(dict(answer)),
        "files_flushed": dg.MetadataValue.int(_sum(answer, "flushed")),
        "events_resent": dg.MetadataValue.int(_sum(answer, "events_resent")),
        "events_undecidable": dg.MetadataValue.int(_sum(answer, "events_undecidable")),
        "manifests_removed": dg.MetadataValue.int(len(answer.get("manifests_removed", ()))),
    }
    for name, value in answer.items():
        context.log.info(f"{name}: {value}")
    if failed := answer["failed"]:
        raise dg.Failure(
            description=(
                f"{len(failed)} parts of the sweep failed: {', '.join(map(str, failed))}. The others are "
                "done; the sweeper's log has the reasons, and the next sweep does these again"
            ),
            metadata=metadata,
            allow_retries=False,
        )
    context.add_output_metadata(metadata)


def _sum(answer: Mapping[str, Any], name: str) -> int:
    """Return the sum of `{date: files}`."""
    return sum(int(files) for files in answer.get(name, {}).values())
