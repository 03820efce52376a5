"""The lanes know every platform, and no file that is gone."""

from pathlib import Path

import pytest

from ndjson_pipeline_tests import lanes


def test_each_file_that_is_named_is_there() -> None:
    there = {path.stem for path in Path(__file__).parent.rglob("test_*.py")}
    assert there >= {*lanes.PLATFORM_FILES, *lanes.LONG_FILES}


def test_each_file_that_starts_a_daemon_is_named(request: pytest.FixtureRequest) -> None:
    started = {item.path.name for item in request.session.items if item.get_closest_marker("daemon")}
    assert [name for name in sorted(started) if not lanes.is_platform(name)] == []
