"""Objects of moto as JSON and back: of listed classes alone, so that reading makes no others."""

import base64
import binascii
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ndjson_pipeline.local_aws.errors import StateRefusedError

_MARK = "$"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """A class whose objects are kept.

    Attributes:
        type: the class.
        made: attributes that are not kept, with what makes them anew.
    """

    type: Any
    made: Mapping[str, Callable[[], Any]] = field(default_factory=dict)


class Codec:
    """Writes values as what `json` takes, and reads them again.

    Plain values stay what they are. What JSON has no word for becomes an object with one member whose name
    begins with `$`: bytes, tuples, sets, times, mappings with other keys than texts,
    objects of known classes.
    """

    def __init__(self, kept: Iterable[Kept]) -> None:
        self._by_type = {each.type: each for each in kept}
        self._by_name = {each.type.__name__: each for each in self._by_type.values()}

    def encode(self, value: Any) -> Any:  # noqa: PLR0911 - a kind of value each
        """Return a value for `json`; an object of a class that is not listed is left out, and logged."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, list):
            return [self.encode(each) for each in value]
        if isinstance(value, dict):
            return self._encode_mapping(value)
        if isinstance(value, tuple):
            return {"$tuple": [self.encode(each) for each in value]}
        if isinstance(value, set | frozenset):
            return {"$set": [self.encode(each) for each in sorted(value)]}
        if isinstance(value, bytes | bytearray):
            return {"$bytes": base64.b64encode(value).decode()}
        if isinstance(value, datetime):
            return {"$time": value.isoformat()}
        kept = self._by_type.get(type(value))
        if kept is None:
            name = type(value).__qualname__
            _logger.warning("a %s of moto is not kept, and will be missing at the next start", name)
            return {"$left_out": name}
        attributes = {name: self.encode(each) for name, each in vars(value).items() if name not in kept.made}
        return {"$object": type(value).__name__, "attributes": attributes}

    def _encode_mapping(self, value: dict[Any, Any]) -> Any:
        if all(isinstance(key, str) and not key.startswith(_MARK) for key in value):
            return {key: self.encode(each) for key, each in value.items()}
        return {"$mapping": [[self.encode(key), self.encode(each)] for key, each in value.items()]}

    def decode(self, value: Any) -> Any:
        """Return what `encode` was given.

        Raises:
            StateRefusedError: it is nothing that `encode` returns.
        """
        if isinstance(value, list):
            return [self.decode(each) for each in value]
        if not isinstance(value, dict):
            return value
        mark = next((name for name in value if name.startswith(_MARK)), None)
        if mark is None:
            return {key: self.decode(each) for key, each in value.items()}
        try:
            return self._decode_marked(mark, value)
        except (TypeError, ValueError, KeyError, AttributeError, binascii.Error) as error:
            raise StateRefusedError(f"{mark} is followed by what does not belong to it: {error}") from error

    def _decode_marked(self, mark: str, value: dict[str, Any]) -> Any:  # noqa: PLR0911 - a mark each
        held = value[mark]
        match mark:
            case "$tuple":
                return tuple(self.decode(each) for each in held)
            case "$set":
                return {self.decode(each) for each in held}
            case "$bytes":
                return base64.b64decode(held, validate=True)
            case "$time":
                return datetime.fromisoformat(held)
            case "$left_out":
                return None
            case "$mapping":
                return {self.decode(key): self.decode(each) for key, each in held}
            case "$object":
                return self._decode_object(self._by_name[held], value["attributes"])
        raise KeyError(mark)

    def _decode_object(self, kept: Kept, attributes: dict[str, Any]) -> Any:
        made = kept.type.__new__(kept.type)
        vars(made).update({name: self.decode(each) for name, each in attributes.items()})
        vars(made).update({name: make() for name, make in kept.made.items()})
        return made
