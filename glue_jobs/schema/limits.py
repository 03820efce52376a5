"""How much a dataset's schema may grow."""

from dataclasses import dataclass
from typing import Final

# Deeper values go to `_rescued`: engines walk a type recursively. The record itself is the first level.
MAX_DEPTH: Final = 32


@dataclass(frozen=True)
class SchemaLimits:
    """Bounds of a schema, both settings of the job.

    Attributes:
        max_object_members: members of one object, the record included.
        max_columns: columns that Parquet makes of the whole schema, its leaves.
    """

    max_object_members: int = 6_000
    max_columns: int = 10_000
