"""Two listings in the same order, compared without holding either in memory."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Left = TypeVar("Left")
Right = TypeVar("Right")


def without_match(
    left: Iterable[Left],
    right: Iterable[Right],
    *,
    left_key: Callable[[Left], str],
    right_key: Callable[[Right], str],
) -> Iterator[tuple[Left, Right | None]]:
    """Yield each item of `left` with the item of `right` that has its key, or None.

    Both must be in order of their keys' UTF-8 bytes, which is how S3 lists and DynamoDB sorts.
    """
    others = iter(right)
    other = next(others, None)
    for item in left:
        key = left_key(item).encode()
        while other is not None and right_key(other).encode() < key:
            other = next(others, None)
        is_match = other is not None and right_key(other).encode() == key
        yield item, other if is_match else None
