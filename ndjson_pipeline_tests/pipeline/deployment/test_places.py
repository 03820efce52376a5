"""The places of a feed's pool, on both storages of an instance."""

from collections.abc import Iterator

import dagster as dg
import pytest

from ndjson_pipeline.deployment.instance.home import LOCAL, PRODUCTION, prepare_home
from ndjson_pipeline.deployment.instance.places import make_places, places_of
from ndjson_pipeline_tests.postgresql import postgres_server

POOL = "orders"
OTHERS = "glue"


@pytest.fixture(scope="module", params=[LOCAL, PRODUCTION], ids=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dg.DagsterInstance]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, postgres_server() as server:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        prepare_home(home, request.param)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield instance


@pytest.fixture
def instance(shared: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    """An instance that knows no pool."""
    yield shared
    for pool in (POOL, OTHERS):
        shared.event_log_storage.delete_concurrency_limit(pool)
        shared.daemon_cursor_storage.set_cursor_values({f"ndjson/places/{pool}": ""})


def slots(instance: dg.DagsterInstance) -> int:
    return instance.event_log_storage.get_concurrency_info(POOL).slot_count


@pytest.mark.parametrize("places", [[2, 2], [2, 5], [5, 2, 3], [1, 8, 1]])
def test_the_pool_follows_the_setting(instance: dg.DagsterInstance, places: list[int]) -> None:
    for count in places:
        make_places(instance, POOL, count)
        assert places_of(instance, POOL) == slots(instance) == count


def test_a_pool_that_dagster_made_by_its_default_is_given_its_own_places(
    instance: dg.DagsterInstance,
) -> None:
    instance.event_log_storage.initialize_concurrency_limit_to_default(POOL)
    make_places(instance, POOL, 5)
    (limit,) = instance.event_log_storage.get_pool_limits()
    assert (limit.limit, limit.from_default) == (5, False)
    assert slots(instance) == 5


def test_places_that_a_person_gave_stay_until_they_delete_them(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    make_places(instance, POOL, 2)
    storage.set_concurrency_slots(POOL, 1)
    for count in (2, 3):
        make_places(instance, POOL, count)
        assert places_of(instance, POOL) == 1
    storage.delete_concurrency_limit(POOL)
    make_places(instance, POOL, 3)
    assert places_of(instance, POOL) == slots(instance) == 3


def test_places_that_a_person_gave_before_any_process_of_the_feed_stay(
    instance: dg.DagsterInstance,
) -> None:
    instance.event_log_storage.set_concurrency_slots(POOL, 7)
    make_places(instance, POOL, 2)
    assert places_of(instance, POOL) == 7


@pytest.mark.parametrize("is_set", [False, True], ids=["before", "after"])
def test_a_process_that_died_while_it_set_them_is_followed(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, is_set: bool
) -> None:
    make_places(instance, POOL, 2)
    original = type(instance.event_log_storage).set_concurrency_slots

    class Death(BaseException):
        pass

    def die(*arguments: object) -> None:
        if is_set:
            original(*arguments)  # type: ignore[arg-type]
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(type(instance.event_log_storage), "set_concurrency_slots", die)
        with pytest.raises(Death):
            make_places(instance, POOL, 5)
    for count in (5, 4):
        make_places(instance, POOL, count)
        assert places_of(instance, POOL) == count


def test_another_feeds_pool_is_not_touched(instance: dg.DagsterInstance) -> None:
    make_places(instance, OTHERS, 2)
    make_places(instance, POOL, 5)
    make_places(instance, POOL, 3)
    assert (places_of(instance, OTHERS), places_of(instance, POOL)) == (2, 3)


def test_a_pool_that_nobody_has_made_known_has_no_places_yet(instance: dg.DagsterInstance) -> None:
    assert places_of(instance, POOL) is None


def test_where_nothing_changes_nothing_is_written(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_places(instance, POOL, 2)

    def refuse(*_: object) -> None:
        raise AssertionError("written")

    monkeypatch.setattr(type(instance.event_log_storage), "set_concurrency_slots", refuse)
    monkeypatch.setattr(type(instance.run_storage), "set_cursor_values", refuse)
    make_places(instance, POOL, 2)
