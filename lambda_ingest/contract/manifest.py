"""The manifest: which files, in which state of content, make one batch."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from lambda_ingest.contract.errors import ManifestFormatError, ManifestKeyError
from lambda_ingest.contract.keys import ManifestName, split_s3_uri
from lambda_ingest.contract.records import MAX_SORT_KEY_BYTES


@dataclass(frozen=True)
class ManifestFile:
    """One input file as it was when it was tracked.

    Attributes:
        uri: `s3://bucket/key`.
        size_bytes: its size.
        etag: its entity tag without quotes.
        version_id: its version, where the bucket keeps versions.
        file_key: the sort key of its record, where that is not the key below the input prefix: another
            bucket's file of the same name came first.
    """

    uri: str
    size_bytes: int
    etag: str
    version_id: str | None = None
    file_key: str | None = None

    def record_key(self, input_prefix: str) -> str:
        """Return the sort key of its record.

        Args:
            input_prefix: what every input key begins with; ends in `/`.
        """
        return self.file_key or key_below(self.uri, input_prefix)


def key_below(uri: str, input_prefix: str) -> str:
    """Return the key of an input file below the input prefix, the sort key of most records.

    Raises:
        ManifestKeyError: it is no S3 URI.
    """
    return split_s3_uri(uri)[1].removeprefix(input_prefix)


@dataclass(frozen=True)
class Manifest:
    """A committed batch of one date; its object never changes.

    Attributes:
        name: date, counter and digest.
        created_at: UTC instant as text.
        files: what it lists, in order.
    """

    name: ManifestName
    created_at: str
    files: tuple[ManifestFile, ...]

    @property
    def total_size_bytes(self) -> int:
        """The sum of its files' sizes."""
        return sum(file.size_bytes for file in self.files)

    def to_json(self) -> bytes:
        """Write the document; `fileLocations` is the shape that other tools read."""
        document = {
            "fileLocations": [{"URIPrefixes": [file.uri for file in self.files]}],
            "date_prefix": self.name.date_prefix,
            "manifest_name": self.name.filename,
            "created_at": self.created_at,
            "file_count": len(self.files),
            "total_size_bytes": self.total_size_bytes,
            "files": [_file_to_dict(file) for file in self.files],
        }
        return json.dumps(document, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes | str) -> Self:
        """Read a document.

        Raises:
            ManifestFormatError: it is no manifest; the message says which part is wrong.
        """
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ManifestFormatError(f"not JSON: {error}") from error
        if not isinstance(document, dict):
            raise ManifestFormatError(f"expected a JSON object, got {type(document).__name__}")
        name = ManifestName.parse(_text(document, "manifest_name"))
        if _text(document, "date_prefix") != name.date_prefix:
            raise ManifestFormatError(
                f"date_prefix {document['date_prefix']!r} differs from that of its name, {name.date_prefix}"
            )
        rows = document.get("files")
        if not isinstance(rows, list) or not rows:
            raise ManifestFormatError("'files' must be a list with at least one file")
        files = tuple(_file_from_dict(row) for row in rows)
        if document.get("file_count") != len(files):
            raise ManifestFormatError(
                f"file_count is {document.get('file_count')!r}, but 'files' lists {len(files)}"
            )
        return cls(name, _text(document, "created_at"), files)


def digest_of(date_prefix: str, sequence: int, files: Sequence[ManifestFile]) -> str:
    """Return 8 hex digits over date, counter and each file's URI, etag and version."""
    digest = hashlib.sha256(f"{date_prefix}\n{sequence}\n".encode())
    for file in files:
        digest.update(json.dumps([file.uri, file.etag, file.version_id]).encode())
    return digest.hexdigest()[:8]


def _file_to_dict(file: ManifestFile) -> dict[str, Any]:
    row: dict[str, Any] = {"uri": file.uri, "size_bytes": file.size_bytes, "etag": file.etag}
    if file.version_id is not None:
        row["version_id"] = file.version_id
    if file.file_key is not None:
        row["file_key"] = file.file_key
    return row


def _file_from_dict(row: object) -> ManifestFile:
    if not isinstance(row, dict):
        raise ManifestFormatError(f"'files' must hold JSON objects, got {type(row).__name__}")
    size = row.get("size_bytes")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ManifestFormatError(f"size_bytes of {row.get('uri')!r} must be a whole number, got {size!r}")
    version = row.get("version_id")
    if version is not None and not isinstance(version, str):
        raise ManifestFormatError(f"version_id of {row.get('uri')!r} must be text, got {version!r}")
    file_key = row.get("file_key")
    if file_key is not None and not _is_sort_key(file_key):
        raise ManifestFormatError(
            f"file_key of {row.get('uri')!r} must be text of 1 to {MAX_SORT_KEY_BYTES} bytes, "
            f"got {file_key!r}"
        )
    return ManifestFile(_uri(row), size, _text(row, "etag"), version, file_key)


def _uri(row: Mapping[str, Any]) -> str:
    uri = _text(row, "uri")
    try:
        split_s3_uri(uri)
        uri.encode()
    except (ManifestKeyError, UnicodeEncodeError) as error:
        raise ManifestFormatError(f"'uri' must be s3://bucket/key, got {uri!r}") from error
    return uri


def _is_sort_key(value: object) -> bool:
    try:
        return isinstance(value, str) and 1 <= len(value.encode()) <= MAX_SORT_KEY_BYTES
    except UnicodeEncodeError:
        return False


def _text(document: Mapping[str, Any], field: str) -> str:
    value = document.get(field)
    if not isinstance(value, str) or not value:
        raise ManifestFormatError(f"{field!r} must be text, got {value!r}")
    return value
