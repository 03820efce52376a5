"""Where one task's time goes: `python -m benchmarks.conversion.steps --help`."""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.conversion import engines, inputs
from glue_jobs.task import convert_part

if TYPE_CHECKING:
    from collections.abc import Sequence

# Each step by the functions that do it, as file and name; what calls a step within another counts for both.
STEPS: Final = {
    "read (waiting for the file)": (("inputs.py", "pieces"),),
    "find lines": (
        ("lines.py", "newlines"),
        ("line_shapes.py", "__init__"),
        ("line_shapes.py", "are_records"),
    ),
    "parse (natively)": (("builder.py", "feed"), ("builder.py", "add"), ("builder.py", "take")),
    "parse (Arrow's JSON)": (("arrow_json.py", "_read"),),
    "cast and check against the columns": (
        ("fit.py", "misfits"),
        ("fit.py", "has_odd_doubles"),
        ("fit.py", "conform"),
    ),
    "learn new columns": (("learning.py", "columns_with_table"),),
    "encode (Arrow's Parquet)": (("core.py", "write_table"),),
    "write": (("upload.py", "write"), ("upload.py", "finish")),
}


def main() -> None:
    """Profile one task on each set of files, and print the share of each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20, help="of 3.5 MB each")
    parser.add_argument("--data", type=Path, default=inputs.real_data_folder(), help="has dns.json.gz")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sets = {"generated": inputs.write_generated(root / "generated", arguments.files)}
        if arguments.data is not None:
            size = arguments.files * inputs.FILE_BYTES
            sets["dns log"] = inputs.write_real(root / "dns", arguments.data, size)
        for name, paths in sets.items():
            _print(name, _profiled(root, paths), sum(path.stat().st_size for path in paths))


def _profiled(root: Path, paths: Sequence[Path]) -> pstats.Stats:
    task, client = engines.task_of(paths), engines.FolderClient(str(root))
    # The first pass pays for imports and fresh memory.
    for profile in (cProfile.Profile(), cProfile.Profile()):
        profile.enable()
        result = convert_part(task, client)  # type: ignore[arg-type]
        profile.disable()
        if result.error_message is not None:
            raise RuntimeError(result.error_message)
    return pstats.Stats(profile)


def _print(name: str, stats: Any, input_bytes: int) -> None:
    total = stats.total_tt
    print(f"{name}: {input_bytes / inputs.MB:.0f} MB, {input_bytes / inputs.MB / total:.0f} MB/s on one core")
    rest = total
    for step, functions in STEPS.items():
        seconds = sum(
            cumulative
            for (path, _, function), (_, _, _, cumulative, _) in stats.stats.items()
            if (Path(path).name, function) in functions
        )
        rest -= seconds
        print(f"  {step:36} {seconds:6.3f} s {100 * seconds / total:5.1f} %")
    print(f"  {'everything else':36} {rest:6.3f} s {100 * rest / total:5.1f} %")


if __name__ == "__main__":
    main()
