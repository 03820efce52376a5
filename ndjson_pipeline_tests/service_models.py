"""Descriptions of AWS services, read from disk once by all clients of a process of tests."""

import functools
from typing import Any

import pytest
from botocore.loaders import Loader

# The loader's own memory of these ends with its session.
_LOOKS = ("list_available_services", "list_api_versions", "determine_latest_version", "load_service_model")


def share_service_models(patch: pytest.MonkeyPatch) -> None:
    """Let each further session take what another has read: most of what a client's making takes."""
    for name in _LOOKS:
        patch.setattr(Loader, name, _shared(getattr(Loader, name)))


def _shared(look: Any) -> Any:
    found: dict[tuple[Any, ...], Any] = {}

    @functools.wraps(look)
    def look_once(loader: Loader, *arguments: Any, **named: Any) -> Any:
        asked = (tuple(loader.search_paths), *arguments, *sorted(named.items()))
        if asked not in found:
            found[asked] = look(loader, *arguments, **named)
        return found[asked]

    return look_once
