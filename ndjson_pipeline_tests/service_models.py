"""Descriptions of AWS services, read from disk and understood once by all clients of a process of tests."""

import functools
from typing import Any

import botocore.regions
import pytest
from botocore.hooks import EVENT_ALIASES, EventAliaser
from botocore.loaders import Loader

# The loader's own memory of these ends with its session.
_LOOKS = (
    "list_available_services",
    "list_api_versions",
    "determine_latest_version",
    "load_data_with_path",
    "load_service_model",
)


def share_service_models(patch: pytest.MonkeyPatch) -> None:
    """Let each further session take what another has read: most of what a client's making takes."""
    for name in _LOOKS:
        patch.setattr(Loader, name, _shared(getattr(Loader, name)))
    patch.setattr(botocore.regions, "EndpointProvider", _one_of_each(botocore.regions.EndpointProvider))
    _remember_event_names(patch)


def _one_of_each(make: Any) -> Any:
    """Let the rules of a service's endpoints be parsed once; what parsed them holds nothing of a client."""
    made: dict[tuple[int, int], tuple[Any, Any, Any]] = {}

    def provider(*, ruleset_data: Any, partition_data: Any, excluded_params: Any = None) -> Any:
        # Both are kept with what was made of them, and so no other data has their place in memory.
        place = id(ruleset_data), id(partition_data)
        if place not in made:
            one = make(ruleset_data, partition_data, excluded_params)
            made[place] = ruleset_data, partition_data, one
        return made[place][2]

    return provider


def _remember_event_names(patch: pytest.MonkeyPatch) -> None:
    """Let each client know the names that another's events had; each one's own memory begins empty."""
    known: dict[str, str] = {}
    begin = EventAliaser.__init__

    def begin_knowing(aliaser: Any, event_emitter: Any, event_aliases: Any = None) -> None:
        begin(aliaser, event_emitter, event_aliases)
        if event_aliases is None or event_aliases == EVENT_ALIASES:
            aliaser._alias_name_cache = known

    patch.setattr(EventAliaser, "__init__", begin_knowing)


def _shared(look: Any) -> Any:
    found: dict[tuple[Any, ...], Any] = {}

    @functools.wraps(look)
    def look_once(loader: Loader, *arguments: Any, **named: Any) -> Any:
        asked = (tuple(loader.search_paths), *arguments, *sorted(named.items()))
        if asked not in found:
            found[asked] = look(loader, *arguments, **named)
        return found[asked]

    return look_once
