"""No crash loses a file, counts it twice or changes what was committed, wherever it strikes."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from lambda_ingest.batches.cutter import DateCuts
from lambda_ingest.files import loaded, quarantine
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, YESTERDAY, names
from ndjson_pipeline_tests.lambda_ingest.proofs.conftest import InlinePool
from ndjson_pipeline_tests.lambda_ingest.proofs.crashes import (
    Crash,
    CrashExploration,
    Fault,
    ProcessDiedError,
    Scenario,
    crashes_of,
)
from ndjson_pipeline_tests.lambda_ingest.proofs.figures import tried
from ndjson_pipeline_tests.lambda_ingest.proofs.processes import AwsCall
from ndjson_pipeline_tests.lambda_ingest.proofs.schedules import TRACK_ONLY
from ndjson_pipeline_tests.lambda_ingest.proofs.world import World

PAIRS_IN_A_NORMAL_RUN = 25
SWEEP_CRASHES_IN_A_NORMAL_RUN = 25


def build_scenario(world: World, name: str, today: int, yesterday: int, **changes: Any) -> Scenario:
    """Files of today and of yesterday and a refused one, put and not delivered."""
    accepted = [*names(today), *names(yesterday, YESTERDAY)]
    events = [world.put(each) for each in accepted]
    refused = f"{TODAY}-refused.csv"
    events.append(world.put(refused))
    return Scenario(name, world.snapshot(), events, accepted, refused=[world.key(refused)], changes=changes)


def is_commit(call: AwsCall) -> bool:
    return call.operation == "TransactWriteItems" and any(
        "ConditionCheck" in action for action in call.request["TransactItems"]
    )


def overwrite_scenario(world: World, **changes: Any) -> Scenario:
    """A file that is overwritten, and whose event is done, between its batch's choice and its commit."""
    accepted = list(names(3))
    events = [world.put(each) for each in accepted]
    before = world.snapshot()

    def meanwhile() -> Callable[[AwsCall], None]:
        has_happened = False

        def act(call: AwsCall) -> None:
            nonlocal has_happened
            if not has_happened and is_commit(call):
                has_happened = True
                newer = world.put(accepted[0], b'{"a": 2, "newer": true}\n')
                runtime = world.runtime(world.processes[2].clients, **changes)
                assert world.deliver(newer, runtime=runtime) == []

        return act

    return Scenario("overwrite", before, events, accepted, changes=changes, meanwhile=meanwhile)


def many_files_scenario(world: World) -> Scenario:
    """250 tracked files of one date, and the event that fills their batch."""
    accepted = list(names(250))
    tracked = [world.put(each) for each in accepted[:-1]]
    world.deliver(*tracked, **TRACK_ONLY)
    last = world.put(accepted[-1])
    changes = {"max_files_per_manifest": 250, "metrics_table": None}
    return Scenario("250 files", world.snapshot(), [last], accepted, changes=changes)


def sweep_scenario(world: World) -> Scenario:
    """An open past date, a half-marked manifest, a lost event and an unreferenced object, for one sweep."""
    changes = {"max_files_per_manifest": 3, "refusal_alert_threshold": 3}
    open_files = list(names(2, "2026-01-28"))
    world.deliver(*(world.put(each) for each in open_files), **TRACK_ONLY)
    marked = list(names(3))
    world.deliver(*(world.put(each) for each in marked), **TRACK_ONLY)
    crash_at(world, "commit", after=True)
    assert [record["files_marked"] for record in world.manifest_records()] == [False]
    orphaned = list(names(3, YESTERDAY))
    world.deliver(*(world.put(each) for each in orphaned), **TRACK_ONLY)
    crash_at(world, "commit", after=False, date_prefix=YESTERDAY)
    # A file that came since makes the dead builder's object one that no batch will take up.
    late = f"{YESTERDAY}-a.ndjson"
    world.deliver(world.put(late), **TRACK_ONLY)
    lost = [f"{TODAY}-lost.ndjson", f"team/{TODAY}-lost.ndjson"]
    known = f"team/{TODAY}-known.ndjson"
    world.deliver(world.put(known), **TRACK_ONLY)
    for each in lost:
        world.put(each)
    world.clock.advance(hours=1)
    # Three refused files, of which a dead builder has told nobody.
    refused = [world.put(each, b"") for each in names(3, start=50)]
    world.deliver(*refused, refusal_alert_threshold=100)
    accepted = [*open_files, *marked, *orphaned, late, *lost, known]
    return Scenario("sweep", world.snapshot(), (), accepted, sweeps=True, refusals_told=3, changes=changes)


def refusals_scenario(world: World) -> Scenario:
    """Two refused files more than were counted before, which makes their alert due."""
    world.deliver(*(world.put(each, b"") for each in names(3, start=50)), refusal_alert_threshold=100)
    refused = list(names(2, start=60))
    events = [world.put(each, b"") for each in refused]
    return Scenario(
        "refusals",
        world.snapshot(),
        events,
        (),
        refused=[world.key(each) for each in refused],
        refusals_told=3,
        changes={"refusal_alert_threshold": 3, "metrics_table": None},
    )


def old_date_scenario(world: World) -> Scenario:
    """Files that were loaded and whose records expired are copied in place, beside one that is new."""
    known = list(names(3, YESTERDAY))
    events = [world.put(each) for each in known]
    world.deliver(*events, max_files_per_manifest=3)
    for each in known:
        world.clients.dynamodb.delete_item(
            TableName=world.settings.tracking_table,
            Key={"date_prefix": {"S": YESTERDAY}, "file_key": {"S": each}},
        )
    new = f"{YESTERDAY}-new.ndjson"
    events.append(world.put(new))
    # With a life of one day the records of yesterday may be gone.
    changes = {"max_files_per_manifest": 3, "ttl_days": 1, "metrics_table": None}
    return Scenario("old date", world.snapshot(), events, [*known, new], changes=changes)


def stale_scenario(world: World) -> Scenario:
    """Late events of a refused content, of a file whose good content is new, pending or in a manifest."""
    changes = {"max_files_per_manifest": 2, "metrics_table": None}
    fresh, pending, loaded_name = list(names(3, YESTERDAY))
    stale = [world.put(each, b"") for each in (fresh, pending, loaded_name)]
    world.deliver(world.put(loaded_name), **changes)
    world.deliver(world.put(pending), **TRACK_ONLY)
    good = world.put(fresh)
    return Scenario(
        "stale refused", world.snapshot(), [*stale, good], [fresh, pending, loaded_name], changes=changes
    )


def evidence_scenario(world: World) -> Scenario:
    """A refused file whose place in quarantine is another's, and one that came twice."""
    name, twice = f"{TODAY}-a.csv", f"{TODAY}-b.csv"
    bucket = world.settings.quarantine_bucket or ""
    world.clients.s3.put_object(Bucket=bucket, Key=world.key(name), Body=b"another's")
    world.deliver(world.put(twice, b"first"), metrics_table=None)
    events = [world.put(name, b"ours"), world.put(twice, b"second")]
    return Scenario(
        "evidence",
        world.snapshot(),
        events,
        (),
        refused=[world.key(name), world.key(twice)],
        evidence={b"another's": 1, b"ours": 1, b"first": 1, b"second": 1},
        changes={"metrics_table": None},
    )


def moves_scenario(world: World, *, sweeps: bool) -> Scenario:
    """Refused files whose copies are left to the sweeper; the builder or the sweeper is what is explored."""
    refused = [f"{TODAY}-{number}.csv" for number in range(2)]
    events = [world.put(each, b"large") for each in refused]
    if sweeps:
        assert world.deliver(*events, metrics_table=None) == []
    return Scenario(
        "moves of the sweeper" if sweeps else "moves of the builder",
        world.snapshot(),
        () if sweeps else events,
        (),
        sweeps=sweeps,
        refused=[world.key(each) for each in refused],
        evidence={b"large": 2},
        changes={"metrics_table": None},
    )


def crash_at(world: World, place: str, *, after: bool, date_prefix: str = TODAY) -> None:
    """Build a date in an environment that dies before or after its commit."""

    def intercept(call: AwsCall, send: Callable[[], Any]) -> Any:
        if not is_commit(call):
            return send()
        if after:
            send()
        raise ProcessDiedError

    process = world.processes[0]
    process.intercept = intercept
    runtime = world.runtime(process.clients, max_files_per_manifest=3)
    with pytest.raises(ProcessDiedError):
        runtime.cutter.cut(DateCuts(date_prefix), lambda: 60.0)
    for item in world.locks():
        key = {name: {"S": item[name]} for name in ("date_prefix", "file_key")}
        world.clients.dynamodb.delete_item(TableName=world.settings.tracking_table, Key=key)


def test_every_call_of_a_build(world: World) -> None:
    scenario = build_scenario(world, "build", today=3, yesterday=1, max_files_per_manifest=2)
    exploration = CrashExploration(world, scenario)
    exploration.all_single()
    tried(scenario.name, exploration.points, str(exploration))


def test_every_call_of_a_build_that_meets_an_overwrite(world: World) -> None:
    exploration = CrashExploration(world, overwrite_scenario(world, max_files_per_manifest=3))
    exploration.all_single()
    tried("overwrite", exploration.points, str(exploration))


def test_every_call_of_refusals_that_are_alerted(world: World) -> None:
    exploration = CrashExploration(world, refusals_scenario(world))
    exploration.all_single()
    tried("refusals", exploration.points, str(exploration))


def test_every_call_of_stale_events_of_refused_contents(world: World) -> None:
    exploration = CrashExploration(world, stale_scenario(world))
    exploration.all_single()
    tried("stale refused", exploration.points, str(exploration))


def test_every_call_of_a_quarantine_that_is_occupied(world: World) -> None:
    exploration = CrashExploration(world, evidence_scenario(world))
    exploration.all_single()
    tried("evidence", exploration.points, str(exploration))


@pytest.mark.parametrize("sweeps", [False, True])
def test_every_call_of_moves_that_are_left_to_the_sweeper(
    world: World, monkeypatch: pytest.MonkeyPatch, sweeps: bool
) -> None:
    monkeypatch.setattr(quarantine, "seconds_for", lambda _: 1000.0)
    exploration = CrashExploration(world, moves_scenario(world, sweeps=sweeps))
    exploration.all_single()
    tried("moves", exploration.points, str(exploration))


def test_every_call_of_a_date_whose_records_expired(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded, "ThreadPoolExecutor", InlinePool)
    exploration = CrashExploration(world, old_date_scenario(world))
    exploration.all_single()
    tried("old date", exploration.points, str(exploration))


def test_calls_of_a_sweep_sampled(world: World) -> None:
    exploration = CrashExploration(world, sweep_scenario(world))
    every = crashes_of(exploration.record())
    exploration.try_each(random.Random(20260130).sample(every, SWEEP_CRASHES_IN_A_NORMAL_RUN))
    tried(f"sweep, sampled of {len(every)}", exploration.points, str(exploration))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_call_of_a_sweep(world: World) -> None:
    exploration = CrashExploration(world, sweep_scenario(world))
    exploration.all_single()
    tried("sweep", exploration.points, str(exploration))


def test_marks_that_take_several_transactions(world: World) -> None:
    """A process dies after the commit of 250 files, or after one of the transactions that mark them."""
    exploration = CrashExploration(world, many_files_scenario(world))
    transactions = [
        position
        for position, call in enumerate(exploration.record())
        if call.operation == "TransactWriteItems"
    ]
    assert len(transactions) == 4
    exploration.try_each(Crash(position, Fault.DIES_AFTER) for position in transactions)
    tried("250 files, dying", exploration.points, str(exploration))


def test_pairs_of_crashes_sampled(world: World) -> None:
    scenario = build_scenario(world, "pairs, sampled", today=2, yesterday=0, max_files_per_manifest=2)
    exploration = CrashExploration(world, scenario)
    draw = random.Random(20260130)
    for first in draw.choices(crashes_of(exploration.record()), k=PAIRS_IN_A_NORMAL_RUN):
        exploration.try_pair(first, draw.choice(crashes_of(exploration.recovery_of(first))))
    tried(scenario.name, exploration.points, str(exploration))


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_every_pair_of_crashes(world: World) -> None:
    scenario = build_scenario(world, "pairs", today=2, yesterday=0, max_files_per_manifest=2)
    exploration = CrashExploration(world, scenario)
    for first, second in exploration.pairs():
        exploration.try_pair(first, second)
    tried(scenario.name, exploration.points, str(exploration))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_call_of_a_day_with_a_full_batch(world: World) -> None:
    """12 files of today in batches of 10, 3 of yesterday."""
    exploration = CrashExploration(world, build_scenario(world, "full batch", today=12, yesterday=3))
    exploration.all_single()
    tried("full batch", exploration.points, str(exploration))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_call_of_marks_that_take_several_transactions(world: World) -> None:
    exploration = CrashExploration(world, many_files_scenario(world))
    exploration.all_single()
    tried("250 files", exploration.points, str(exploration))
