"""What all services of moto share: the same answers for a part of the work."""

import functools
import random
from collections.abc import Mapping
from typing import Any

import moto.core.parse
import moto.core.responses
import moto.core.serialize
from moto.core.constants import MISSING
from moto.core.serialize import DEFAULT_ALIAS_PROVIDERS, ResponseSerializer
from moto.core.utils import get_value
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from ndjson_pipeline.local_aws.moto_patches.registry import Services, replaces

_ATTRIBUTE = "AttributeValue"
# What goes over the wire as it is, by the key that says its type. Bytes do not; lists and maps hold others.
_PLAIN: Mapping[str, type] = {"S": str, "N": str, "BOOL": bool, "NULL": bool}
_REQUEST_ID_BITS = 52 * 4


@replaces(moto.core.serialize.BaseJSONSerializer, "_serialize")
def _a_plain_attribute_is_answered_as_it_is(_original: Any, _services: Services) -> Any:
    """Stock moto tries several names for each of the ten types of each attribute of each DynamoDB item."""

    def serialize(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if key and shape.name == _ATTRIBUTE and _is_plain(value):
            serializer._default_serialize(serialized, dict(value), shape, key)
        else:
            ResponseSerializer._serialize(serializer, serialized, value, shape, key)

    return serialize


@replaces(moto.core.parse.BaseJSONParser, "_parse_structure")
def _a_plain_attribute_is_read_as_it_is(original: Any, _services: Services) -> Any:
    """Stock moto looks for each of the ten types of each attribute of each DynamoDB item."""

    @functools.wraps(original)
    def parse_structure(parser: Any, shape: Any, value: Any) -> Any:
        if shape.name == _ATTRIBUTE and _is_plain(value):
            return dict(value)
        return original(parser, shape, value)

    return parse_structure


def _is_plain(value: Any) -> bool:
    if type(value) is not dict or len(value) != 1:
        return False
    ((kind, content),) = value.items()
    return type(content) is _PLAIN.get(kind)


@replaces(moto.core.serialize.AttributePicker, "__call__")
def _names_of_a_value_are_found_once(_original: Any, _services: Services) -> Any:
    """Stock moto finds anew, for each value of each answer, the names that it may have in an object."""

    def pick(picker: Any, context: Any) -> Any:
        value = _value_of(picker, context)
        key_path = f"{context.key_path}.{context.key}"
        for transform_path, transform in picker.response_transformers.items():
            if key_path.endswith(transform_path):
                return transform(value)
        return value

    return pick


def _value_of(picker: Any, context: Any) -> Any:
    names = _possible_names(picker, context)
    if type(context.obj) is dict:
        return next((context.obj[name] for name in names if name in context.obj), None)
    for name in names:
        if (value := get_value(context.obj, name, MISSING)) is not MISSING:
            return value
    return None


def _possible_names(picker: Any, context: Any) -> Any:
    owner, shape = type(context.obj), context.shape
    if shape is None or hasattr(owner, "Meta") or picker.alias_providers is not DEFAULT_ALIAS_PROVIDERS:
        return picker.get_possible_keys(context)
    # A shape is a service's own and has one parent, so that it remembers what depends on both.
    known = shape.__dict__.setdefault("_names_of_values", {})
    names = known.get((type(picker), context.key, owner.__name__))
    if names is None:
        names = tuple(dict.fromkeys(picker.get_possible_keys(context)))
        known[type(picker), context.key, owner.__name__] = names
    return names


@replaces(moto.core.responses, "method_names_from_class")
def _a_class_is_searched_once(original: Any, _services: Services) -> Any:
    """Stock moto searches a service's class for its methods at each call."""
    return functools.cache(original)


@replaces(moto.core.responses, "gen_amzn_requestid_long")
def _a_request_id_is_drawn_at_once(_original: Any, _services: Services) -> Any:
    """Stock moto draws the 52 letters of each request's id one by one."""

    def request_id(headers: dict[str, Any] | None = None) -> str:
        drawn = f"{random.getrandbits(_REQUEST_ID_BITS):052X}"
        if isinstance(headers, dict):
            headers["x-amzn-requestid"] = drawn
        return drawn

    return request_id


@replaces(DomainDispatcherApplication, "get_backend_for_host")
def _a_hosts_service_is_found_once(original: Any, _services: Services) -> Any:
    """Stock moto lists its own folder, and tries a pattern of each service, twice for each request."""
    # All dispatchers have the same patterns. A host that none knows may be any text, and is not kept.
    found: dict[str, Any] = {}

    @functools.wraps(original)
    def backend_for(dispatcher: Any, host: str | None) -> Any:
        if host is None:
            return None
        if host not in found and (backend := original(dispatcher, host)) is not None:
            found[host] = backend
        return found.get(host)

    return backend_for
