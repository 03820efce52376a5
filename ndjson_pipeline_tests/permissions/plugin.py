"""Lets a run of tests hold the product's calls against the record."""

import os
from typing import Any

import pytest

from ndjson_pipeline_tests import lanes
from ndjson_pipeline_tests.permissions import record
from ndjson_pipeline_tests.permissions.recording import Needs, Recorder

_OUTPUT = "aws_needs"
# There several components work in one process, and one acts in the middle of another's call.
_MANY_AT_ONCE = ("/end_to_end/", "/proofs/")


class CallRecord:
    """Of one process of tests: a lane, the one that hands tests to lanes, or the only one."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._is_writing = bool(os.environ.get(record.RECORD_VARIABLE))
        self._known = record.read()
        self._recorder = Recorder(self._known)
        self._of_lanes: list[Needs] = []
        self._stale: Needs = {}
        self._patch = pytest.MonkeyPatch()
        self._recorder.install(self._patch)

    def pytest_unconfigure(self) -> None:
        """Look at no call any more."""
        self._patch.undo()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Fail the test in which a component made a call that is not on record."""
        unknown, self._recorder.unknown = self._recorder.unknown, []
        if unknown and not self._is_writing and not any(part in item.nodeid for part in _MANY_AT_ONCE):
            told = "; ".join(f"{component}: {need.action} on {need.resource}" for component, need in unknown)
            pytest.fail(
                f"calls that are not on record: {told}. Where they are meant, give the role the right in "
                f"deploy/terraform, and put it on record ({record.RECORD_VARIABLE}=1).",
                pytrace=False,
            )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a lane has seen."""
        self._of_lanes.append(record.from_rows(getattr(node, "workeroutput", {}).get(_OUTPUT, [])))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Hand on what was seen; after all tests, fail where something on record was not."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_OUTPUT] = record.to_rows(self._recorder.seen)
            return
        seen = record.together(self._recorder.seen, *self._of_lanes)
        if self._is_writing:
            record.write(seen if lanes.is_whole(self._config) else record.together(self._known, seen))
        elif exitstatus == pytest.ExitCode.OK and lanes.is_whole(self._config):
            self._stale = record.without(self._known, seen)
            if self._stale:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name what is on record and was not seen."""
        if self._stale:
            terminalreporter.section("calls on record that no test made")
            for component, action, resource in record.to_rows(self._stale):
                terminalreporter.write_line(f"{component}: {action} on {resource}")
            terminalreporter.write_line(
                f"Take them off the record ({record.RECORD_VARIABLE}=1), and from the role's policy."
            )
