"""A person's word that files of a manifest will not come back, kept in an object beside the manifest's own.

The manifest's object never changes. Whoever converts it and misses files looks for the acceptance, and
completes the manifest without those that it names.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from lambda_ingest.contract.errors import ManifestFormatError, ManifestKeyError
from lambda_ingest.contract.keys import ManifestName

_SUFFIX = ".accepted.json"


@dataclass(frozen=True)
class Acceptance:
    """What was accepted.

    Attributes:
        name: the manifest's.
        without: URIs of the files that nobody will bring back.
        accepted_at: UTC instant as text.
        accepted_by: who, as AWS names them.
    """

    name: ManifestName
    without: frozenset[str]
    accepted_at: str
    accepted_by: str

    def covers(self, uris: Iterable[str]) -> bool:
        """Tell whether all of these are accepted as gone."""
        return self.without.issuperset(uris)

    def to_json(self) -> bytes:
        """Write the document."""
        document = {
            "manifest_name": self.name.filename,
            "without": sorted(self.without),
            "accepted_at": self.accepted_at,
            "accepted_by": self.accepted_by,
        }
        return json.dumps(document, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes | str, name: ManifestName) -> Self:
        """Read the document of a manifest.

        Raises:
            ManifestFormatError: it is none, or another manifest's.
        """
        try:
            document = json.loads(content)
            found = ManifestName.parse(document["manifest_name"])
            without = document["without"]
        except (ValueError, RecursionError, KeyError, TypeError, ManifestKeyError) as error:
            raise ManifestFormatError(f"the acceptance of {name.filename} is none: {error}") from error
        if found != name or not isinstance(without, list) or not all(isinstance(uri, str) for uri in without):
            raise ManifestFormatError(f"the acceptance of {name.filename} is another's, or names no files")
        return cls(
            name,
            frozenset(without),
            str(document.get("accepted_at", "")),
            str(document.get("accepted_by", "")),
        )


def acceptance_key(name: ManifestName) -> str:
    """Return where a manifest's acceptance lies, in the manifest bucket."""
    return f"{name.key.removesuffix('.json')}{_SUFFIX}"
