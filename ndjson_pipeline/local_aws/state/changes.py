"""What changed since it was last written, as the watchers of moto tell it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Changes:
    """Marks of what has to be looked at.

    Attributes:
        objects: bucket and key of each object of S3.
        items: region, table and key of each item of DynamoDB; the key is JSON of its attributes.
        runs: ids of Glue runs.
        places: what is looked at as a whole, such as `queues`.
    """

    objects: set[tuple[str, str]] = field(default_factory=set)
    items: set[tuple[str, str, str]] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.objects or self.items or self.runs or self.places)


class ChangeLog:
    """Collects marks from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes = Changes()

    def mark(self, add: Callable[[Changes], None]) -> None:
        """Add marks."""
        with self._lock:
            add(self._changes)

    def mark_object(self, bucket: str, key: str) -> None:
        """An object was written, changed or deleted."""
        self.mark(lambda changes: changes.objects.add((bucket, key)))

    def mark_item(self, region: str, table: str, key: str) -> None:
        """An item was written or deleted."""
        self.mark(lambda changes: changes.items.add((region, table, key)))

    def mark_run(self, run_id: str) -> None:
        """A Glue run has another state."""
        self.mark(lambda changes: changes.runs.add(run_id))

    def mark_place(self, place: str) -> None:
        """Something of a place changed, such as a queue."""
        self.mark(lambda changes: changes.places.add(place))

    @property
    def waiting(self) -> bool:
        """Whether anything is marked."""
        return bool(self._changes)

    def take(self) -> Changes:
        """Return the marks, and begin anew."""
        with self._lock:
            taken, self._changes = self._changes, Changes()
        return taken
