"""The lanes that the tests run in, side by side: how many, which test goes to which, and in which order.

`docs/testing.md` tells the same with examples. Nothing here knows folders, so a file may be moved.
"""

import os
from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# The files that start a platform or parts of one, the longest first. Their tests wait a lot, and the daemons
# work even while nothing happens: a platform is worth about a core.
PLATFORM_FILES = (
    "test_kills",
    "test_platform",
    "test_commands",
    "test_deployment",
    "test_ui",
    "test_getting_started",
    "test_production_instance",
    "test_backfills",
    "test_feeds",
    "test_image",
    "test_sensor_crashes",
    "test_foreign_pages",
)
# The longest of those that compute, which fill what the platforms leave.
LONG_FILES = (
    "test_terraform_feeds",
    "test_crashes",
    "test_with_terraform",
    "test_spark",
    "test_death",
    "test_three_days",
    "test_packages",
    "test_interleavings",
    "test_task",
    "test_terraform_dagster",
    "test_load",
    "test_model",
    "test_commit",
)


def cores() -> int:
    return len(os.sched_getaffinity(0))


def worker_count(config: pytest.Config) -> int:
    """Return how many files go at once; none where a run names the tests that it wants."""
    return cores() + 1 if is_whole(config) else 0


def is_whole(config: pytest.Config) -> bool:
    """Tell whether a run is of all tests."""
    named = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
    return not (named or config.option.keyword or config.option.collectonly)


class LaneScheduling(LoadFileScheduling):
    """Gives a worker that is nearly done the next file; platforms go first, but not too many at once.

    A file stays together, as its platform, Spark or AWS is a fixture of the file.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        at_once = sum(
            any(is_platform(file) and not all(tests.values()) for file, tests in files.items())
            for other, files in self.assigned_work.items()
            if other is not node
        )
        wants_platform = at_once < cores()
        chosen = next((file for file in self.workqueue if is_platform(file) is wants_platform), None)
        if chosen is not None:
            self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)


def is_platform(file: str) -> bool:
    return PurePosixPath(file).stem in PLATFORM_FILES


def place_in_lanes(item: pytest.Item) -> int:
    """Return what tests are sorted by where they run in lanes: what takes long begins first."""
    files = PLATFORM_FILES + LONG_FILES
    return files.index(item.path.stem) if item.path.stem in files else len(files)


def place_alone(item: pytest.Item) -> int:
    """Return what tests are sorted by otherwise: what is quick fails first, a platform comes last."""
    if item.get_closest_marker("daemon"):
        return 2
    return int(item.get_closest_marker("spark") is not None)
