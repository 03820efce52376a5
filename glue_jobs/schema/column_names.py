"""What a column may be called, and the names that are the pipeline's own."""

from typing import Final

from glue_jobs.schema.scalars import is_text

PROCESSING_TIMESTAMP: Final = "_processing_timestamp"
SOURCE_FILE: Final = "_source_file"
RESCUED: Final = "_rescued"


def fold(name: str) -> str:
    """Return what names that Athena and Spark take for the same have in common.

    Both compare names without case, character by character, as Java's `equalsIgnoreCase` does.
    """
    if name.isascii():
        return name.lower()
    return "".join((upper if len(upper := letter.upper()) == 1 else letter).lower()[0] for letter in name)


RESERVED: Final = frozenset(map(fold, (PROCESSING_TIMESTAMP, SOURCE_FILE, RESCUED)))


def is_storable_name(name: str) -> bool:
    """Return whether a column may bear the name.

    Lone surrogates have no UTF-8, DuckDB takes an object whose member has no name for a tuple, and a name
    that goes through C ends at its first NUL.
    """
    return bool(name) and "\0" not in name and is_text(name)
