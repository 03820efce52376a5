"""Shares of a manifest's files, one for each output file."""

import heapq
import math
from collections.abc import Sequence
from typing import Final

from lambda_ingest.contract.manifest import ManifestFile

# NDJSON repeats every name in every line, so Parquet of it is a good deal smaller. Measured with snappy: 4.9
# for records of random values, 11 to 13 for network logs. Too low only means smaller output files.
INPUT_BYTES_PER_PARQUET_BYTE: Final = 5.0
# What it costs to open a file, in bytes that take as long to convert: a request, and a parser's start.
FILE_COST_BYTES: Final = 131_072
# Below this share of a core, work takes less time than another small output file costs its readers.
SMALLEST_SHARE_BYTES: Final = 32 * 1_048_576
# Of Glue's G.1X.
WORKER_CORES: Final = 4


def part_count(total_bytes: int, file_count: int, target_file_bytes: float) -> int:
    """Return how many output files a manifest becomes.

    As few as the wanted size allows, yet enough for one worker's cores where each gets a share worth it:
    32 MB in few files, 8 MB in files of 40 KB, or 250 files with next to nothing in them. No more than it
    has files, since a file is read by one task. The cores at hand have no say: the same manifest
    must give the same files wherever it is converted.

    Args:
        total_bytes: of its files.
        file_count: of its files, at least 1.
        target_file_bytes: wanted size of an output file, in bytes of Parquet.
    """
    by_size = math.ceil(total_bytes / (target_file_bytes * INPUT_BYTES_PER_PARQUET_BYTE))
    cost = total_bytes + file_count * FILE_COST_BYTES
    by_cores = min(WORKER_CORES, cost // SMALLEST_SHARE_BYTES)
    return max(1, min(file_count, max(by_size, by_cores)))


def share_files(files: Sequence[ManifestFile], parts: int) -> list[tuple[ManifestFile, ...]]:
    """Share files among parts so that the parts' work is as even as is easy.

    The largest file first, each to the part with least so far; within a part files keep their order. The same
    arguments always give the same shares.

    Args:
        files: of one manifest.
        parts: at least 1, at most the number of files.
    """
    shares: list[list[int]] = [[] for _ in range(parts)]
    loads = [(0, part) for part in range(parts)]
    for index in sorted(range(len(files)), key=lambda index: (-files[index].size_bytes, index)):
        cost, part = heapq.heappop(loads)
        shares[part].append(index)
        heapq.heappush(loads, (cost + files[index].size_bytes + FILE_COST_BYTES, part))
    ordered = sorted(sorted(share) for share in shares if share)
    return [tuple(files[index] for index in share) for share in ordered]
