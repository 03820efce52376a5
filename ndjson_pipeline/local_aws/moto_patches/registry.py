"""The patches of all services, and how they are put in place and taken out again."""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import moto

from ndjson_pipeline.local_aws.errors import LocalAwsError, MotoVersionError
from ndjson_pipeline.local_aws.functions.api import FunctionInvoker
from ndjson_pipeline.local_aws.glue.runs import GlueRuns
from ndjson_pipeline.local_aws.moto_version import MOTO_VERSION

_PATCHES_PACKAGE = __name__.rpartition(".")[0]


@dataclass(frozen=True)
class Services:
    """What the patches hand work to.

    Attributes:
        glue_runs: what starts runs of a Glue job.
        functions: what invokes functions.
        closing: set when the server ends, so that long polls end too.
    """

    glue_runs: GlueRuns
    functions: FunctionInvoker
    closing: threading.Event


Factory = Callable[[Any, Services], Any]


@dataclass(frozen=True)
class Patch:
    """One attribute of moto that is replaced.

    Attributes:
        owner: the class or module.
        attribute: its attribute; it need not exist.
        factory: makes the replacement of the original, which is None where there is none.
    """

    owner: Any
    attribute: str
    factory: Factory

    @property
    def name(self) -> str:
        """Such as `DynamoHandler.call_action`."""
        return f"{self.owner.__name__.rpartition('.')[2]}.{self.attribute}"


PATCHES: list[Patch] = []

_MISSING = object()
_applied: list[tuple[Patch, object]] = []
_apply_lock = threading.Lock()


def apply(services: Services) -> None:
    """Put moto right, until `remove`.

    Raises:
        MotoVersionError: another version of moto is installed.
        LocalAwsError: the patches are in use by another local AWS of this process.
    """
    if moto.__version__ != MOTO_VERSION:
        raise MotoVersionError(
            f"moto {moto.__version__} is installed, but the local AWS mends moto {MOTO_VERSION} alone; "
            f"install moto[server]=={MOTO_VERSION}, or review every patch in {_PATCHES_PACKAGE}"
        )
    with _apply_lock:
        if _applied:
            raise LocalAwsError(
                "a local AWS runs in this process already; use it, or start another as LocalAwsProcess"
            )
        for patch in PATCHES:
            original = vars(patch.owner).get(patch.attribute, _MISSING)
            _applied.append((patch, original))
            replacement = patch.factory(None if original is _MISSING else original, services)
            setattr(patch.owner, patch.attribute, replacement)


def remove() -> None:
    """Give moto its own behaviour back; does nothing where none is applied."""
    with _apply_lock:
        while _applied:
            patch, original = _applied.pop()
            if original is _MISSING:
                delattr(patch.owner, patch.attribute)
            else:
                setattr(patch.owner, patch.attribute, original)


def replaces(owner: Any, *attributes: str) -> Callable[[Factory], Factory]:
    """Register a factory as the patch of these attributes of a class or module of moto."""

    def register(factory: Factory) -> Factory:
        PATCHES.extend(Patch(owner, attribute, factory) for attribute in attributes)
        return factory

    return register


def locked(original: Any, lock: Any) -> Any:
    """Return the original, called by the holder of the lock alone."""

    @functools.wraps(original)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        with lock:
            return original(*arguments, **named)

    return wrapper
