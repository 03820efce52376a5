"""Documents of a few things, of which only those are written that differ from what was written last."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from ndjson_pipeline.local_aws.state.store import Row

_ATTEMPTS = 20

Read = TypeVar("Read")


def steady(read: Callable[[], Read]) -> Read:
    """Return what a function reads of moto's mappings, which others may change meanwhile.

    Raises:
        RuntimeError: they never stand still.
    """
    for _ in range(_ATTEMPTS):
        try:
            return read()
        except RuntimeError:
            # A mapping changed its size while it was read.
            continue
    return read()


class Documents:
    """Remembers what was written of one kind.

    Args:
        kind: the kind of its rows.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._written: dict[str, str] = {}

    def known(self, name: str, document: str) -> None:
        """Remember a row that was read."""
        self._written[name] = document

    def changed(self, documents: Mapping[str, str]) -> Iterator[Row]:
        """Yield what differs, and what is gone.

        Args:
            documents: all that there are, by their names.
        """
        for name, document in documents.items():
            if self._written.get(name) != document:
                yield Row(self._kind, name, document)
        for name in self._written.keys() - documents.keys():
            yield Row(self._kind, name, None)
        self._written = dict(documents)
