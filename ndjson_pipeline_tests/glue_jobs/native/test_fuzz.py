"""Lines made up at random: the native parser against the Python rules, and under the sanitizers."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from glue_jobs.native import build, library
from glue_jobs.native.description import Description
from ndjson_pipeline_tests.glue_jobs.native.conftest import found_compiler
from ndjson_pipeline_tests.glue_jobs.native.fuzzing import TYPES, Fuzzer
from ndjson_pipeline_tests.glue_jobs.native.oracle import compare

DRIVER = Path(__file__).with_name("sanitized.cpp")
SANITIZERS = ["-std=c++17", "-g", "-O1", "-fno-exceptions", "-fno-rtti", "-fno-sanitize-recover=all"]
SHORT_LINES = 4_000
# Figures of the last run are in docs/reliability.md.
LONG_SECONDS = os.environ.get("NATIVE_FUZZ_SECONDS", "600")
LONG_LINES = int(os.environ.get("NATIVE_FUZZ_LINES", "50000000"))
HOSTILE = [
    b"\xff\xfe\x00",
    b'{"a":' * 300,
    b'{"a":1}\0{"a":2}',
    b'{"s":"' + b"\xf0\x9f\x98" + b'"}',
    b'{"s":"\\',
    b'{"s":"\\ud83d\\',
    b'{"a',
    b'{"a"',
    b'{"a":',
    b'{"a":-',
    b'{"b":1.',
    b'{"b":1e',
    b'{"at":"2026-01-30T00:0',
    b'{"m":{"k"',
    b'{"l":[1,',
    b'{"o":{"z":[{"p":1}',
    b'{"zz":{"zz":{"zz":[',
    b"[" * 100_000,
    b'{"j":' + b"[" * 199 + b"]" * 199 + b"}",
    b'{"s":"' + b"x" * 100_000,
    b'{"b":' + b"9" * 100_000 + b"}",
    b'{"b":0.' + b"0" * 100_000 + b"1}",
    b'{"e":1e' + b"9" * 1000 + b"}",
    b'{"' + b"n" * 100_000 + b'":1}',
    b"\n" * 1000,
    b"",
]


def fuzzed(seed: int, lines: int, native: library.Library | None = None) -> tuple[int, int]:
    """Try so many lines; return how many there were, and how many were taken."""
    fuzzer = Fuzzer(seed)
    done = taken = 0
    while done < lines:
        setting = fuzzer.setting()
        outcome = compare(fuzzer.block(setting.types), setting, native, cut=7 if done % 3 else 0)
        done += outcome.lines
        taken += outcome.taken
    return done, taken


def test_lines_at_random(native: library.Library) -> None:
    done, taken = fuzzed(1, SHORT_LINES, native)
    assert 0.4 * done < taken < done


def test_lines_at_random_without_wide_instructions(variant: Callable[..., library.Library]) -> None:
    fuzzed(2, SHORT_LINES // 4, variant("NDJSON_PLAIN"))


def write_corpus(path: Path, seed: int, blocks: int) -> None:
    """Write what the driver reads: the columns, hostile lines, lines at random."""
    fuzzer = Fuzzer(seed)
    content = [bytes(Description(TYPES, TYPES, False, ()).written), *HOSTILE]
    content += [fuzzer.block(TYPES, 20) for _ in range(blocks)]
    path.write_bytes(b"".join(struct.pack("=I", len(block)) + block for block in content))


def driver(folder: Path, *options: str) -> Path:
    """Compile the driver with the sanitizers."""
    program = folder / "driver"
    command = [
        found_compiler(),
        *SANITIZERS,
        *options,
        "-I",
        str(build.SOURCES),
        str(DRIVER),
        "-o",
        str(program),
    ]
    subprocess.run(command, check=True)
    return program


@pytest.mark.parametrize("lanes", ["NDJSON_WIDE", pytest.param("NDJSON_PLAIN", marks=pytest.mark.soak)])
def test_the_sanitizers_find_nothing(tmp_path: Path, lanes: str) -> None:
    program = driver(tmp_path, "-fsanitize=address,undefined", "-DNDJSON_REFUSALS", f"-D{lanes}")
    write_corpus(tmp_path / "corpus", 3, 12)
    done = subprocess.run(
        [str(program), str(tmp_path / "corpus"), "4", "1", "30"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    lines, _, refusals, _ = done.stdout.split()
    assert int(lines) > 500 and int(refusals) > 1_000


@pytest.mark.soak
def test_many_lines_at_random(native: library.Library) -> None:
    """Two workers to a core wait for nothing; each has seeds of its own."""
    workers = os.cpu_count() or 1
    share = 100_000
    rounds = max(1, LONG_LINES // share)
    with ProcessPoolExecutor(workers) as pool:
        results = list(pool.map(fuzzed, range(1_000, 1_000 + rounds), [share] * rounds))
    done, taken = (sum(figures) for figures in zip(*results, strict=True))
    sys.stdout.write(f"{done:,} lines, {taken:,} taken and equal\n")
    assert done >= LONG_LINES


@pytest.mark.soak
def test_the_sanitizers_find_nothing_for_long(tmp_path: Path) -> None:
    program = driver(tmp_path, "-fsanitize=address,undefined", "-DNDJSON_REFUSALS")
    write_corpus(tmp_path / "corpus", 4, 300)
    # Of each round some 2,650 lines.
    arguments = [str(tmp_path / "corpus"), "20000", "5", "300"]
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    sys.stdout.write(done.stdout)
    assert int(done.stdout.split()[0]) > 50_000_000


@pytest.mark.soak
def test_guided_by_coverage(tmp_path: Path) -> None:
    """libFuzzer, where clang is."""
    try:
        subprocess.run(["clang++", "--version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no clang; apt-get install clang brings libFuzzer")
    program = tmp_path / "fuzzer"
    options = [
        *SANITIZERS,
        "-fsanitize=fuzzer,address,undefined",
        "-DNDJSON_FUZZER",
        "-I",
        str(build.SOURCES),
    ]
    subprocess.run(["clang++", *options, str(DRIVER), "-o", str(program)], check=True)
    write_corpus(tmp_path / "columns", 5, 0)
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    fuzzer = Fuzzer(6)
    for number, block in enumerate([*HOSTILE, *(fuzzer.block(TYPES, 5) for _ in range(200))]):
        (seeds / str(number)).write_bytes(block[:4096])
    done = subprocess.run(
        [
            str(program),
            str(seeds),
            "-max_len=4096",
            f"-max_total_time={LONG_SECONDS}",
        ],
        env={**os.environ, "NDJSON_COLUMNS": str(tmp_path / "columns")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    sys.stdout.write(done.stderr.splitlines()[-1] + "\n")
