"""Objects that gain names run after run: what no single run shows, the contract's history does.

Ten records with three ids each bring thirty names, as new members might. The next ten bring thirty others.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from glue_jobs.schema.document import COLUMNS_ADDED
from glue_jobs.schema.paths import path_of, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# So many names in so many versions after the one that brought the object.
_MANY_NAMES: Final = 64
_MANY_VERSIONS: Final = 8


def growing_places(history: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return paths of the objects that go on to gain names; the record's is empty.

    Args:
        history: of a contract, oldest version first.
    """
    names: Counter[str] = Counter()
    versions: Counter[str] = Counter()
    is_first = True
    for entry in history:
        if entry.get("kind") != COLUMNS_ADDED:
            continue
        for place, count in Counter(map(_parent, entry.get("added", ()))).items():
            # Of what a new object has from the start only its own path is told; of the record there is none.
            if place is not None and (place or not is_first):
                names[place] += count
                versions[place] += 1
        is_first = False
    return frozenset(
        place for place, count in names.items() if count >= _MANY_NAMES and versions[place] >= _MANY_VERSIONS
    )


def _parent(path: str) -> str | None:
    """Return the path of the object that a place is a member of; None where it is a list's or a map's."""
    try:
        steps = steps_of(path)
    except ValueError:
        # Others can write the contract's bucket, too.
        return None
    return path_of(steps[:-1]) if steps[-1].startswith(".") else None
