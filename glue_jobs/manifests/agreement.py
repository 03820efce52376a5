"""Parts of a run brought to the columns of the dataset's schema contract."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from glue_jobs.errors import SchemaContractError
from glue_jobs.schema.columns import Columns, holds
from glue_jobs.schema.growth import growing_places
from glue_jobs.schema.hints import parse_hints
from glue_jobs.schema.observed import Observed
from glue_jobs.schema.settle import Settled, settle_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from glue_jobs.manifests.work import ManifestWork
    from glue_jobs.schema.contract import SchemaContract, SchemaContractStore
    from glue_jobs.schema.limits import SchemaLimits
    from glue_jobs.task import PartResult, PartTask

# Parts converted again may bring a first `_rescued`. More than that only changes by hand meanwhile could.
_ROUNDS: Final = 5


@dataclass(frozen=True)
class Agreement:
    """What the parts of a run agreed on.

    Attributes:
        contract: that all of them follow.
        settled: how its columns follow from what the run saw.
    """

    contract: SchemaContract
    settled: Settled


def agree(
    store: SchemaContractStore,
    works: Sequence[ManifestWork],
    convert_again: Callable[[list[PartTask]], None],
    now: Callable[[], datetime],
    limits: SchemaLimits,
    job_run_id: str | None = None,
) -> Agreement:
    """Extend the contract by what was seen, then convert again what does not follow it.

    The contract is written before any output becomes visible, so that whatever is visible follows it. Of two
    runs that bring a column with different types the first to write decides; the other finds its parts at
    odds with the contract, and converts them again. Columns that others added meanwhile are no odds.

    Args:
        store: where the contract lies.
        works: manifests whose parts are converted; failed ones have no say.
        convert_again: converts tasks, and puts the results in their manifests' places.
        now: the clock, aware.
        limits: of the whole schema.
        job_run_id: Glue's id of this run; the contract's history keeps it.

    Raises:
        SchemaContractError: the contract can't be extended, or parts don't come to follow it.
    """
    for is_first in (True, *[False] * (_ROUNDS - 1)):
        going = [work for work in works if work.error is None]
        seen = Observed()
        for work in going:
            seen.merge(work.observed)
            seen.compact()
        has_rescued = any(result.has_rescued for work in going for result in work.results)
        manifests = [work.uri for work in going]
        settled = Settled({})

        def change(
            current: SchemaContract,
            seen: Observed = seen,
            has_rescued: bool = has_rescued,
            manifests: list[str] = manifests,
        ) -> SchemaContract:
            nonlocal settled
            settled = settle_columns(
                current.types, seen, limits, parse_hints(current.hints), growing_places(current.history)
            )
            return current.extended(settled.types, has_rescued, manifests, now(), job_run_id)

        contract = store.extend(change)
        again = [
            replace(
                result.task,
                settled=result.task.settled.final(contract.types),
                has_rescued=contract.has_rescued,
                generation=contract.generation,
            )
            for work in going
            for result in work.results
            if not (_follows(result, contract) and not (is_first and _lacks_rescued(result, contract)))
        ]
        if not again:
            return Agreement(contract, settled)
        convert_again(again)
    raise SchemaContractError(f"parts of the run don't come to follow {store.uri}; run again")


def _follows(result: PartResult, contract: SchemaContract) -> bool:
    """Return whether readers of the contract find all of a part's file; true where it has none.

    It may lack columns, and members of objects: readers take them for null, as in files that are older than
    a column. Columns that were changed by hand since are none of the contract's, whatever their types.
    """
    if result.upload is None:
        return True
    if result.task.generation != contract.generation or (result.has_rescued and not contract.has_rescued):
        return False
    return all(
        (wanted := contract.types.get(name)) is not None and holds(wanted, column)
        for name, column in result.columns.types.items()
    )


def _lacks_rescued(result: PartResult, contract: SchemaContract) -> bool:
    """Return whether a part rescued something whose column the run as a whole brings, or makes wider."""
    if result.upload is None:
        return False
    changed = Columns(contract.types).changed_names(result.columns)
    return bool(changed) and (result.rescued_names is None or not result.rescued_names.isdisjoint(changed))
