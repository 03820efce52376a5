"""Methods of moto that somebody watches."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def told(owner: Any, name: str, watch: Callable[..., None]) -> Iterator[None]:
    """Call `watch` after each call of a method, failed ones too, until the end of the block.

    Args:
        owner: the class.
        name: the method.
        watch: gets the method's arguments, the object first.
    """
    original = vars(owner)[name]

    @functools.wraps(original)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        try:
            return original(*arguments, **named)
        finally:
            watch(*arguments, **named)

    setattr(owner, name, wrapper)
    try:
        yield
    finally:
        setattr(owner, name, original)
