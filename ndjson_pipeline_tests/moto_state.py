"""What moto holds in this process, kept and put into another mock: to make resources anew is many calls."""

import io
import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from moto.backends import get_backend
from moto.core.base_backend import BaseBackend
from moto.s3.models import s3_backends
from moto.s3.utils import _VersionedKeyStore

T = TypeVar("T")
_LOCK = type(threading.RLock())

_ACCOUNT = "123456789012"
# Those that the project makes resources in, and where each is.
_BACKENDS = {
    "dynamodb": "us-east-1",
    "glue": "us-east-1",
    "logs": "us-east-1",
    "s3": "aws",
    "sns": "us-east-1",
    "sqs": "us-east-1",
}


@dataclass(frozen=True)
class MotoState:
    """What all of the backends hold at one instant."""

    content: bytes

    @classmethod
    def of_now(cls) -> "MotoState":
        """Keep what there is in the present mock."""
        held = {service: dict(_backend(service).__dict__) for service in _BACKENDS}
        buffer = io.BytesIO()
        _Pickler(buffer).dump((held, dict(s3_backends.bucket_accounts)))
        return cls(buffer.getvalue())

    def put_back(self) -> None:
        """Let the present mock hold this, and nothing else."""
        held, bucket_accounts = _Unpickler(io.BytesIO(self.content)).load()
        for service, state in held.items():
            backend = _backend(service)
            backend.__dict__.clear()
            backend.__dict__.update(state)
        s3_backends.bucket_accounts.clear()
        s3_backends.bucket_accounts.update(bucket_accounts)


class MadeOnce(Generic[T]):
    """Resources that are made in the first mock, and put into each further one as they were made.

    Args:
        make: makes them, and returns what tests know of them.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: tuple[T, MotoState] | None = None

    def __call__(self) -> T:
        if self._made is None:
            self._made = self._make(), MotoState.of_now()
        else:
            self._made[1].put_back()
        return self._made[0]


def empty_table(name: str) -> None:
    """Let a table of the present mock hold no item: a call for each is most of what many items cost."""
    _backend("dynamodb").tables[name].items.clear()


def empty_bucket(name: str) -> None:
    """Let a bucket of the present mock hold no object."""
    _backend("s3").buckets[name].keys.clear()


def _backend(service: str) -> Any:
    backends: Any = get_backend(service)  # type: ignore[call-overload]
    return backends[_ACCOUNT][_BACKENDS[service]]


class _Pickler(pickle.Pickler):
    """Writes a reference to a backend as its service's name, and a lock as one that nobody holds."""

    def reducer_override(self, held: Any) -> Any:
        if isinstance(held, _VersionedKeyStore):
            # What it is asked for as a dict is each key's newest version.
            return _key_store, ([(key, dict.__getitem__(held, key)) for key in list(held)],)
        if isinstance(held, _LOCK):
            return threading.RLock, ()
        return NotImplemented

    def persistent_id(self, held: Any) -> str | None:
        if not isinstance(held, BaseBackend):
            return None
        service = next((name for name in _BACKENDS if _backend(name) is held), None)
        assert service is not None, f"a reference to {held}, which is not kept"
        return service


def _key_store(versions: list[tuple[str, Any]]) -> _VersionedKeyStore:
    store = _VersionedKeyStore()
    for key, of_key in versions:
        dict.__setitem__(store, key, of_key)
    return store


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, service: Any) -> Any:
        return _backend(service)
