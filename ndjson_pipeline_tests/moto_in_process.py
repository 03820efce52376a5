"""moto in the test's own process, put right as the local AWS puts it right."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto import mock_aws

from ndjson_pipeline.local_aws import moto_patches

# Glue and Lambda stay moto's own here: nothing runs behind them.
_SERVICES = ("moto.dynamodb.", "moto.s3.", "moto.sqs.")


@contextmanager
def mended_moto() -> Iterator[None]:
    """Mock AWS, with the transactions, conditions and limits that ingest and the code location rely on.

    Stock moto also copies the whole table for each action of a transaction, which is most of what a test
    of batches would cost.
    """
    services: Any = moto_patches.Services(None, None, threading.Event())  # type: ignore[arg-type]
    with mock_aws(), pytest.MonkeyPatch.context() as patcher:
        for patch in moto_patches.PATCHES:
            owner = patch.owner
            module = getattr(owner, "__module__", None) or owner.__name__
            if f"{module}.".startswith(_SERVICES):
                original = vars(owner).get(patch.attribute)
                patcher.setattr(owner, patch.attribute, patch.factory(original, services), raising=False)
        yield
