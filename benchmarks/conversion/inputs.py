"""Input files of the benchmark."""

import gzip
import json
import random
from pathlib import Path

from glue_jobs.schema.columns import Columns
from glue_jobs.schema.types import FLOAT64, INT64, STRING

MB = 1_048_576
FILE_BYTES = int(3.5 * MB)
_BAD_LINES = (b"garbage", b'{"cut":"sho', b"[1, 2]")


def real_data_folder() -> Path | None:
    """Return the folder of real logs beside the project's folder, or above; None where there is none."""
    folders = (above / "shared" / "data" for above in Path(__file__).resolve().parents)
    return next((folder for folder in folders if folder.is_dir()), None)


def generated_lines(seed: int) -> list[bytes]:
    """Return lines of a made-up log, each with a newline; as many as make about 3.5 MB."""
    source = random.Random(seed)
    lines: list[bytes] = []
    size = 0
    while size < FILE_BYTES:
        record = {
            "id": source.randrange(2**40),
            "at": f"2026-01-30T{source.randrange(24):02}:{source.randrange(60):02}:00Z",
            "user": f"user-{source.randrange(10_000)}",
            "amount": round(source.random() * 1000, 2),
            "ok": source.random() < 0.9,
            "tags": source.sample(["a", "b", "c", "d"], 2),
            "place": {"city": source.choice(["Oslo", "Lima", "Pune"]), "lat": source.random() * 90},
        }
        lines.append(json.dumps(record).encode() + b"\n")
        size += len(lines[-1])
    return lines


def real_lines(data: Path) -> list[bytes]:
    """Return the lines of the network log.

    Raises:
        FileNotFoundError: the folder has no dns.json.gz.
    """
    return gzip.decompress((data / "dns.json.gz").read_bytes()).splitlines(keepends=True)


def write_generated(folder: Path, count: int, bad_share: float = 0.0) -> list[Path]:
    """Write files of about 3.5 MB.

    Args:
        folder: made where it is absent.
        count: of the files.
        bad_share: share of the lines that are no records.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    # Ten different ones, over and over: making each anew takes longer than all that is measured.
    blocks = [b"".join(_spoiled(generated_lines(seed), bad_share, seed)) for seed in range(min(count, 10))]
    for index in range(count):
        paths.append(folder / f"2026-01-30-{index:05}.ndjson")
        paths[-1].write_bytes(blocks[index % len(blocks)])
    return paths


def write_real(folder: Path, data: Path, total_bytes: int) -> list[Path]:
    """Write the network log, repeated, as files of about 3.5 MB."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = real_lines(data)
    paths: list[Path] = []
    place = 0
    while len(paths) * FILE_BYTES < total_bytes:
        block: list[bytes] = []
        size = 0
        while size < FILE_BYTES:
            block.append(lines[place % len(lines)])
            size += len(block[-1])
            place += 1
        paths.append(folder / f"2026-01-30-{len(paths):05}.ndjson")
        paths[-1].write_bytes(b"".join(block))
    return paths


def write_small(folder: Path, count: int) -> list[Path]:
    """Write files of about 3 KB."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = generated_lines(0)
    paths = []
    for index in range(count):
        paths.append(folder / f"2026-01-30-{index:05}.ndjson")
        start = index * 20 % (len(lines) - 20)
        paths[-1].write_bytes(b"".join(lines[start : start + 20]))
    return paths


def wide_columns(count: int) -> Columns:
    """Return so many settled columns, a quarter of them text."""
    types = [FLOAT64, INT64, FLOAT64, STRING]
    return Columns({f"signal_{index:04}": types[index % 4] for index in range(count)}, accepts_new=False)


def write_wide(folder: Path, count: int, columns: int) -> list[Path]:
    """Write small files of ten records, each with forty of many columns."""
    folder.mkdir(parents=True, exist_ok=True)
    source = random.Random(1)
    paths = []
    for index in range(count):
        lines = []
        for _ in range(10):
            signals = sorted(source.sample(range(columns), 40))
            values = [[0.5, 7, 19.99, "text"][signal % 4] for signal in signals]
            record = {f"signal_{signal:04}": value for signal, value in zip(signals, values, strict=True)}
            lines.append(json.dumps(record).encode() + b"\n")
        paths.append(folder / f"2026-01-30-{index:05}.ndjson")
        paths[-1].write_bytes(b"".join(lines))
    return paths


def _spoiled(lines: list[bytes], share: float, seed: int) -> list[bytes]:
    source = random.Random(seed)
    return [
        source.choice(_BAD_LINES) + b"\n" if share and source.random() < share else line for line in lines
    ]
