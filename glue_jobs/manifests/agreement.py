"""Parts of a run brought to the columns of the dataset's schema contract."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from glue_jobs.errors import SchemaContractError
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.observed import Observed
from glue_jobs.schema.settle import settle_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from glue_jobs.manifests.work import ManifestWork
    from glue_jobs.schema.contract import SchemaContract, SchemaContractStore
    from glue_jobs.task import PartResult, PartTask

# Parts converted again may bring a first `_rescued`. More than that only runs at the same time could.
_ROUNDS: Final = 5


def agree(
    store: SchemaContractStore,
    works: Sequence[ManifestWork],
    convert_again: Callable[[list[PartTask]], None],
    now: Callable[[], datetime],
) -> SchemaContract:
    """Extend the contract by what was seen, then convert again what does not follow it.

    The contract is written before any output becomes visible, so that whatever is visible follows it. Of two
    runs that bring a column with different types the first to write decides; the other finds its parts at
    odds with the contract, and converts them again.

    Args:
        store: where the contract lies.
        works: manifests whose parts are converted; failed ones have no say.
        convert_again: converts tasks, and puts the results in their manifests' places.
        now: the clock, aware.

    Returns:
        The contract that the parts of all manifests without an error follow.

    Raises:
        SchemaContractError: the contract can't be extended, or parts don't come to follow it.
    """
    for _ in range(_ROUNDS):
        going = [work for work in works if work.error is None]
        seen = Observed()
        for work in going:
            seen.merge(work.observed)
        has_rescued = any(result.has_rescued for work in going for result in work.results)
        manifests = [work.uri for work in going]

        def change(
            current: SchemaContract,
            seen: Observed = seen,
            has_rescued: bool = has_rescued,
            manifests: list[str] = manifests,
        ) -> SchemaContract:
            return current.extended(settle_columns(current.types, seen), has_rescued, manifests, now())

        contract = store.extend(change)
        columns = Columns(dict(contract.types), accepts_new=False)
        again = [
            replace(result.task, settled=columns, has_rescued=contract.has_rescued)
            for work in going
            for result in work.results
            if not _follows(result, contract)
        ]
        if not again:
            return contract
        convert_again(again)
    raise SchemaContractError(f"parts of the run don't come to follow {store.uri}; run again")


def _follows(result: PartResult, contract: SchemaContract) -> bool:
    """Return whether a part's file has just the contract's columns, in order; true where it has no file."""
    if result.upload is None:
        return True
    has_types = list(result.columns.types.items()) == list(contract.types.items())
    return has_types and result.has_rescued == contract.has_rescued
