"""Notes each call that the product makes to AWS, by the component whose role it would be made with.

The component is read off the stack: nothing in the product says who it is. What the tests call themselves, to
prepare or to look, has no component.
"""

import functools
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from types import FrameType
from typing import Any

import pytest
from botocore.client import BaseClient

from ndjson_pipeline_tests.permissions.needs import ELSEWHERE, Need, needs_of

# By the beginning of a module's name, the first that fits; None is what runs in no component.
_COMPONENTS: dict[str, str | None] = {
    "lambda_ingest.manifest_builder": "manifest-builder",
    "lambda_ingest.sweeper": "sweeper",
    "lambda_ingest.generate_ndjson": "generator",
    "glue_jobs": "glue",
    "ndjson_pipeline.local_aws": None,
    "ndjson_pipeline.laptop": None,
    "ndjson_pipeline.cli": None,
    "ndjson_pipeline.smoke": None,
    "ndjson_pipeline.desk": None,
    "ndjson_pipeline.day_report": None,
    "ndjson_pipeline.loading": None,
    "ndjson_pipeline.load_test": None,
    "ndjson_pipeline": "code-location",
}
# Of several components: whoever calls it tells.
_SHARED = "glue_jobs.schema.contract"
_UNKNOWN = ""

Needs = dict[str, set[Need]]

# What tests do in the middle of the product's own calls: a producer that writes, a Glue that converts.
_OF_TESTS = frozenset(
    {
        ("manifest-builder", Need("s3:PutObject", "input/*")),
        ("sweeper", Need("s3:PutObject", "input/*")),
        ("code-location", Need("s3:PutObject", "output/merged-parquet-*")),
    }
)

_component: ContextVar[str] = ContextVar("component", default=_UNKNOWN)


class Recorder:
    """What was seen.

    Args:
        known: what is on record, by component.

    Attributes:
        seen: by component, what its calls need.
        unknown: of that, what is not on record, and was not told yet.
    """

    def __init__(self, known: Needs) -> None:
        self.seen: Needs = {}
        self.unknown: list[tuple[str, Need]] = []
        self._known = known

    def note(self, service: str, operation: str, request: dict[str, Any]) -> None:
        """Note a call that is about to be made."""
        component = component_of(sys._getframe(2)) or _component.get()
        if component:
            for need in needs_of(service, operation, request):
                self._note(component, need)

    def _note(self, component: str, need: Need) -> None:
        seen = self.seen.setdefault(component, set())
        if need in seen or need.resource == ELSEWHERE or (component, need) in _OF_TESTS:
            return
        seen.add(need)
        if need not in self._known.get(component, ()):
            self.unknown.append((component, need))

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Look at each call from now on, those of pools' threads too."""
        send = BaseClient._make_api_call

        def make_api_call(client: BaseClient, operation: str, request: dict[str, Any]) -> Any:
            self.note(client.meta.service_model.service_name, operation, request)
            return send(client, operation, request)

        patch.setattr(BaseClient, "_make_api_call", make_api_call)
        submit = ThreadPoolExecutor.submit

        @functools.wraps(submit)
        def submit_in_context(pool: Any, function: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
            token = None
            if component := component_of(sys._getframe(1)):
                token = _component.set(component)
            try:
                return submit(pool, copy_context().run, function, *args, **named)
            finally:
                if token is not None:
                    _component.reset(token)

        patch.setattr(ThreadPoolExecutor, "submit", submit_in_context)


def component_of(frame: FrameType | None) -> str | None:
    """Return the component that a stack belongs to: of the innermost of the product's modules that tells."""
    while frame is not None:
        tells, component = _component_of_module(frame.f_globals.get("__name__", ""))
        if tells:
            return component
        frame = frame.f_back
    return None


@functools.cache
def _component_of_module(module: str) -> tuple[bool, str | None]:
    """Return whether a module tells, and what."""
    if module == _SHARED:
        return False, None
    for beginning, component in _COMPONENTS.items():
        if f"{module}.".startswith(f"{beginning}."):
            return True, component
    return False, None
