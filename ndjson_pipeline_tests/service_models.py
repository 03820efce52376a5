"""Descriptions of AWS services, read from disk once by all clients of a process of tests."""

import functools
from typing import Any

import pytest
from botocore.loaders import Loader


def share_service_models(patch: pytest.MonkeyPatch) -> None:
    """Let each further session take the descriptions that another has read: most of a client's making."""
    load = Loader.load_service_model
    read: dict[tuple[Any, ...], Any] = {}

    @functools.wraps(load)
    def load_service_model(
        loader: Any, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:
        asked = (tuple(loader.search_paths), service_name, type_name, api_version)
        if asked not in read:
            read[asked] = load(loader, service_name, type_name, api_version)
        return read[asked]

    patch.setattr(Loader, "load_service_model", load_service_model)
