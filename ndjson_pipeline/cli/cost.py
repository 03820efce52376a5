"""The command `cost`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ndjson_pipeline.cli.failures import UsageError
from ndjson_pipeline.cli.output import Block, Column, Facts, Line, Listing
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.cli.texts import size_mb
from ndjson_pipeline.costs.bill import total
from ndjson_pipeline.costs.glue_day import PERCENTILES
from ndjson_pipeline.costs.load import Load
from ndjson_pipeline.costs.prices import AS_OF, DAYS_A_MONTH, REGION, SOURCES, Prices, read_prices
from ndjson_pipeline.costs.scenarios import Scenario, scenarios
from ndjson_pipeline.costs.standing import (
    PLATFORMS,
    provisioned_tables,
    standing_bill,
)

WAITS = (0.0, 300.0, 900.0)
SIZES = (10, 50, 100)
_P95 = PERCENTILES.index(0.95)
# So many columns and rows fit a table.
_MOST_WAITS = 5
_MOST_SIZES = 20
_CENTS = 0.005


def run(
    session: Session,
    load: Load,
    waits: Sequence[float],
    sizes: Sequence[int],
    prices_file: Path | None,
) -> None:
    """Show what a day costs, by the dial and by the size of manifests; asks nobody.

    Args:
        session: of the command; its environment says whose standing platform is counted.
        load: what comes; its dial and its size of manifests are those that vary.
        waits: `LAUNCH_MAX_WAIT_SECONDS`, each; the defaults without any.
        sizes: `MAX_FILES_PER_MANIFEST`, each; the defaults without any.
        prices_file: prices in place of the list's.

    Raises:
        SettingsError: a number or the file makes no sense.
        UsageError: there is no room for so many.
    """
    prices = Prices() if prices_file is None else read_prices(prices_file)
    environment = session.desk.settings.environment
    waits, sizes = sorted(set(waits or WAITS)), sorted(set(sizes or SIZES))
    if len(waits) > _MOST_WAITS or len(sizes) > _MOST_SIZES:
        raise UsageError(f"at most {_MOST_WAITS} waits and {_MOST_SIZES} sizes of manifests fit the tables")
    with session.output.progress("simulating days") as tell:
        found: list[Scenario] = []
        for scenario in scenarios(load, waits, sizes, prices):
            found.append(scenario)
            tell(f"{len(found)} of {len(waits) * len(sizes)}")
    standing = standing_bill(PLATFORMS[environment], prices)
    session.output.show(
        {
            "files_per_day": load.files_a_day,
            "file_mb": load.file_mb,
            "mb_per_day": round(load.mb_a_day, 6),
            "places": load.places,
            "input_days": load.input_days,
            "prices": {
                "region": REGION,
                "as_of": AS_OF,
                "file": None if prices_file is None else str(prices_file),
                "usd": vars(prices),
                "sources": SOURCES,
            },
            "scenarios": [_document(scenario) for scenario in found],
            "standing": {
                "environment": environment,
                "lines": {line.what: round(line.usd, 6) for line in standing},
                "usd": round(total(standing), 6),
            },
            "provisioned_dynamodb_usd": round(provisioned_tables(prices), 6),
        },
        _blocks(environment, found, waits, sizes, standing, prices, prices_file),
    )


def _document(scenario: Scenario) -> dict[str, Any]:
    load, glue = scenario.load, scenario.glue
    return {
        "launch_max_wait_seconds": load.dial_minutes * 60.0,
        "files_per_manifest": load.files_per_manifest,
        "manifests": load.manifests_a_day,
        "glue_runs": glue.runs,
        "most_workers": glue.workers,
        "dpu_hours": round(glue.dpu_hours, 6),
        "latency_seconds": {
            f"p{share * 100:.0f}": round(seconds, 1)
            for share, seconds in zip(PERCENTILES, glue.latencies, strict=True)
        },
        "keeps_up": not scenario.is_behind,
        "lines": {line.what: round(line.usd, 6) for line in scenario.lines},
        "usd": round(scenario.usd, 6),
        "usd_per_tb": None if scenario.usd_per_tb is None else round(scenario.usd_per_tb, 6),
    }


def _blocks(
    environment: str,
    found: Sequence[Scenario],
    waits: Sequence[float],
    sizes: Sequence[int],
    standing: Sequence[Any],
    prices: Prices,
    prices_file: Path | None,
) -> list[Block]:
    load = found[0].load
    first = [scenario for scenario in found if scenario.load.files_per_manifest == sizes[0]]
    facts = {
        "what comes": f"{load.files_a_day:,.0f} files of {load.file_mb:g} MB a day, evenly: "
        f"{size_mb(load.mb_a_day)} MB",
        "prices": f"list prices of {REGION}, {AS_OF}, without free tiers"
        if prices_file is None
        else f"{prices_file}; else list prices of {REGION}, {AS_OF}",
        "Glue": f"{load.places} runs at once, on G.1X",
    }
    blocks: list[Block] = [
        Facts("a day", facts),
        Listing(
            f"USD a day by LAUNCH_MAX_WAIT_SECONDS; {sizes[0]:,} files a manifest",
            [Column("", is_whole=True), *(Column(_dial(wait), is_number=True) for wait in waits)],
            _rows(first, standing, environment),
        ),
        Listing(
            "by MAX_FILES_PER_MANIFEST: USD a day for files, and p95",
            [
                Column("files", is_number=True),
                Column("manifests", is_number=True),
                *(Column(_dial(wait), is_number=True) for wait in waits),
            ],
            [
                [f"{size:,}", f"{_of(found, size)[0].load.manifests_a_day:,}", *map(_short, _of(found, size))]
                for size in sizes
            ],
        ),
    ]
    return [*blocks, *_notes(found, prices)]


def _rows(first: Sequence[Scenario], standing: Sequence[Any], environment: str) -> list[list[str]]:
    """Return the rows of the first table: a service each, sums, and what to expect."""
    fixed = total(standing)
    rows = [
        [line.what, *(_usd(scenario.lines[number].usd) for scenario in first)]
        for number, line in enumerate(first[0].lines)
    ]
    rows += [
        ["= files", *(_usd(one.usd) for one in first)],
        *([line.what, *(_usd(line.usd) for _ in first)] for line in standing),
        [f"= with a platform as {environment}", *(_usd(one.usd + fixed) for one in first)],
        [
            f"  in a month of {DAYS_A_MONTH:.0f} days",
            *(_usd((one.usd + fixed) * DAYS_A_MONTH) for one in first),
        ],
        [
            "USD a TB, files alone",
            *("-" if one.usd_per_tb is None else _usd(one.usd_per_tb) for one in first),
        ],
        ["Glue runs", *(f"{one.glue.runs:,}" for one in first)],
        ["DPU-hours", *(f"{one.glue.dpu_hours:,.2f}" for one in first)],
    ]
    for number, share in enumerate(PERCENTILES):
        latencies = (_duration(one.glue.latencies[number]) for one in first)
        rows.append([f"arrival to Parquet, p{share * 100:.0f}", *latencies])
    return rows


def _notes(found: Sequence[Scenario], prices: Prices) -> list[Block]:
    notes = [
        "How it is reckoned: each day is simulated by the rules of the manifest sensor. Nothing fails in it, "
        "and Glue starts in half a minute; real days are somewhat later and dearer.",
        "Not in it: the producers' own PUTs, the output's storage, queries, data that leaves the region.",
        "DynamoDB is counted on demand. Terraform's default is provisioned: "
        f"{_usd(provisioned_tables(prices))} USD a day at its smallest, whatever comes.",
    ]
    behind = [one for one in found if one.is_behind]
    if behind:
        worst = max(behind, key=lambda one: one.glue.ends_after_midnight)
        notes.append(
            f"It does not keep up: {len(behind)} of {len(found)} settings end up to "
            f"{_duration(worst.glue.ends_after_midnight)} after the day. Raise --places."
        )
    slow = [
        one
        for one in found
        if one.load.manifests_a_day * one.load.files_per_manifest < 24 * one.load.files_per_manifest
    ]
    if slow:
        notes.append(
            "Few files fill a manifest slowly, and the last ones wait for midnight: set "
            "MAX_BATCH_AGE_SECONDS to have them sooner."
        )
    return [Line(note) for note in notes]


def _of(found: Sequence[Scenario], size: int) -> list[Scenario]:
    return [one for one in found if one.load.files_per_manifest == size]


def _short(scenario: Scenario) -> str:
    return f"{_usd(scenario.usd)}, {_duration(scenario.glue.latencies[_P95])}"


def _dial(wait: float) -> str:
    return f"{_duration(wait)}" if wait else "at once"


def _usd(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= _CENTS or amount == 0 else "<0.01"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min" if seconds % 60 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h"
