"""Takes each condition of `lambda_ingest` out in turn, and demands that a test fails without it.

    python -m ndjson_pipeline_tests.lambda_ingest.proofs.mutate_conditions [word]

With a word, only those whose name has it. A condition that no test misses is either not needed or not tested;
both are worth knowing.
"""

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import lambda_ingest
from ndjson_pipeline_tests.lambda_ingest.proofs import conditions

_HERE = Path(__file__).parent
_ROOT = Path(__file__).parents[3]
_PLUGIN = f"{conditions.__name__}"
_SECONDS_FOR_A_RUN = 900

# Those that look at one condition each come first, for a run ends at the first failure.
_TESTS = tuple(
    str(path.relative_to(_ROOT))
    for path in (
        _HERE.parent / "contract" / "test_gate.py",
        _HERE.parent / "files" / "test_arrivals.py",
        _HERE / "test_races.py",
        _HERE / "test_quarantine_races.py",
        _HERE.parent / "files" / "test_refusals.py",
        _HERE.parent / "files" / "test_loaded.py",
        _HERE.parent / "files" / "test_contents.py",
        _HERE.parent / "files" / "test_identity.py",
        _HERE.parent / "batches" / "test_odd_rows.py",
        _HERE.parent / "test_manifest_builder.py",
        _HERE.parent / "test_sweeper.py",
        _HERE / "test_interleavings.py",
        _HERE / "test_crashes.py",
    )
)
# The gate is pure; what only a test of many parts would miss, a reader could miss, too.
_GATE = (str((_HERE.parent / "contract" / "test_gate.py").relative_to(_ROOT)),)
_INTERLEAVINGS = (str((_HERE / "test_interleavings.py").relative_to(_ROOT)),)

# What no test can miss, and why the condition stays all the same.
SURVIVORS_WITH_A_REASON: dict[str, str] = {}

_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """What became of one mutation.

    Attributes:
        condition: the one that was taken out.
        killer: the test that failed without it, or None where all passed.
    """

    condition: str
    killer: str | None

    @property
    def is_accepted(self) -> bool:
        """Whether a test failed, or a reason is written why none can."""
        return self.killer is not None or self.condition in SURVIVORS_WITH_A_REASON


@dataclass
class Result:
    """What all mutations came to.

    Attributes:
        verdicts: one of each mutation.
        failing_before: tests that fail with every condition in place; they count for nothing.
        unseen: conditions in the source that no test made a request with.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    failing_before: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    @property
    def is_accepted(self) -> bool:
        """Whether every condition is missed by a test."""
        return not self.unseen and all(verdict.is_accepted for verdict in self.verdicts)


def run(write: Callable[[str], object], word: str = "") -> Result:
    """Take out each condition in turn.

    Args:
        write: gets each line of the account as it comes.
        word: only conditions whose name has it are taken out.
    """
    result = Result()
    with tempfile.TemporaryDirectory() as folder:
        census = Path(folder, "census.json")
        result.failing_before = _failures(_TESTS, {conditions.CENSUS_VARIABLE: str(census)}, ())
        seen: list[str] = json.loads(census.read_text())
    for test in result.failing_before:
        write(f"fails with every condition in place: {test}")
    result.unseen = [place for place, text in _in_source() if not any(text in name for name in seen)]
    for place in result.unseen:
        write(f"never seen in a request: {place}")
    lock_checks = [name for name in seen if " ConditionCheck " in name]
    assert lock_checks, "the commit checks no lock"
    mutations = [(name, _TESTS) for name in seen]
    mutations += [(name, _INTERLEAVINGS) for name in (*lock_checks, conditions.TRUST_THE_INDEX)]
    mutations += [(name, _GATE) for name in conditions.of_gate()]
    for name, tests in ((name, tests) for name, tests in mutations if word in name):
        killers = _failures(
            tests, {conditions.REMOVE_VARIABLE: name}, [*_deselected(result.failing_before), "-x"]
        )
        verdict = Verdict(name, killers[0] if killers else None)
        result.verdicts.append(verdict)
        reason = SURVIVORS_WITH_A_REASON.get(name)
        write(f"{name}\n    {verdict.killer or (f'survives: {reason}' if reason else 'SURVIVES')}")
    killed = sum(verdict.killer is not None for verdict in result.verdicts)
    write(f"{killed} of {len(result.verdicts)} mutations made a test fail")
    return result


def _failures(tests: Sequence[str], variables: dict[str, str], options: Sequence[str]) -> list[str]:
    """Run tests in a process of their own, and return those that failed."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", _PLUGIN]
    command += ["-m", "not soak", "--timeout", str(_SECONDS_FOR_A_RUN), *options, *tests]
    try:
        done = subprocess.run(
            command,
            cwd=_ROOT,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=_SECONDS_FOR_A_RUN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"no end within {_SECONDS_FOR_A_RUN} s"]
    if done.returncode not in (0, 1):
        raise RuntimeError(
            f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return _FAILED.findall(done.stdout)


def _deselected(tests: Sequence[str]) -> Iterator[str]:
    for test in tests:
        yield from ("--deselect", test)


def _in_source() -> Iterator[tuple[str, str]]:
    """Yield each condition in the product's source: where it is, and a text that its name holds."""
    package = Path(lambda_ingest.__file__).parent
    for path in sorted(package.rglob("*.py")):
        module = ".".join(path.relative_to(package).with_suffix("").parts)
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            for parameter, value in _parameters(function):
                place = f"{module}:{function.name} {parameter}"
                if parameter in conditions.S3_CONDITIONS:
                    yield place, place
                elif parameter == "ConditionExpression":
                    # One that is put together elsewhere is known by the function that sends it.
                    is_text = isinstance(value, ast.Constant)
                    yield place, str(value.value) if is_text else f"{module}:{function.name}"


def _parameters(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    """Yield keyword arguments and entries of literal dicts by name; not those of functions within."""
    for node in _own_nodes(function):
        if isinstance(node, ast.Call):
            yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, value


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _own_nodes(child)


def main() -> int:
    """Print the account, and return 1 where a condition survives."""

    def write(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    return 0 if run(write, *sys.argv[1:2]).is_accepted else 1


if __name__ == "__main__":
    sys.exit(main())
