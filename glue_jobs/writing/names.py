"""Names of the objects that a manifest becomes."""

from typing import Final

from lambda_ingest.contract.keys import ManifestName

# What --COMPRESSION_TYPE may say, and the name's part that tells readers of the folder.
CODECS: Final = {"snappy": "snappy", "zstd": "zstd", "gzip": "gzip", "none": "uncompressed"}


def date_folder(prefix: str, date_prefix: str) -> str:
    """Return what the keys of a date's output files begin with, up to a slash.

    Args:
        prefix: folder above the date's folder, without slashes at its ends; may be empty.
        date_prefix: the date.
    """
    folder = f"{prefix}/" if prefix else ""
    return f"{folder}merged-parquet-{date_prefix}/"


def output_stem(prefix: str, name: ManifestName) -> str:
    """Return what the keys of all output files of a manifest begin with, and no other's.

    Args:
        prefix: folder above the date's folder, without slashes at its ends; may be empty.
        name: of the manifest.
    """
    return f"{date_folder(prefix, name.date_prefix)}part-{name.sequence:06d}-{name.digest}-"


def output_key(prefix: str, name: ManifestName, part: int, codec: str) -> str:
    """Name an output file.

    Args:
        prefix: folder above the date's folder.
        name: of its manifest.
        part: its number in the manifest, from 0.
        codec: a key of `CODECS`.
    """
    return f"{output_stem(prefix, name)}{part:04d}.{CODECS[codec]}.parquet"


def rejects_stem(prefix: str, name: ManifestName) -> str:
    """Return what the keys of all rejected records of a manifest begin with, and no other's.

    Args:
        prefix: folder above the output's, part of the name because two datasets may share the bucket.
        name: of the manifest.
    """
    folder = f"{prefix}/" if prefix else ""
    return f"rejected/{name.date_prefix}/{folder}part-{name.sequence:06d}-{name.digest}-"


def rejects_key(prefix: str, name: ManifestName, part: int) -> str:
    """Name the rejected records of a part; doing it again replaces them."""
    return f"{rejects_stem(prefix, name)}{part:04d}.ndjson.gz"
