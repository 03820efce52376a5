"""How runs are told apart: which manifests a run is for, at which attempt, and what is no run."""

from collections.abc import Iterable, Mapping

from lambda_ingest.contract.keys import ManifestName

MANIFESTS_TAG = "ndjson/manifests"
ATTEMPT_TAG = "ndjson/attempt"
# What stands in a record in a run's place where a sensor failed the manifest, since no run could.
SENSOR_HOLDER_PREFIX = "sensor:"


def manifests_tag(names: Iterable[ManifestName]) -> str:
    """Write manifests of one date as `000001-1f0c2a9b,000002-...`; the partition gives the date.

    Short, because PostgreSQL indexes a tag's value and refuses entries of more than some 2,700 bytes.
    """
    return ",".join(f"{name.sequence:06d}-{name.digest}" for name in sorted(names))


def parse_manifests_tag(date_prefix: str, value: str) -> list[ManifestName]:
    """Read what `manifests_tag` wrote.

    Raises:
        ManifestKeyError: the tag has another shape.
    """
    return [
        ManifestName.parse(f"manifest-{date_prefix}-batch-{short}.json")
        for short in value.split(",")
        if short
    ]


def tagged_manifests(tags: Mapping[str, str], date_prefix: str) -> list[ManifestName] | None:
    """Return the manifests that a run was launched for, or None where it is for all of its dates."""
    value = tags.get(MANIFESTS_TAG)
    return None if value is None else parse_manifests_tag(date_prefix, value)
