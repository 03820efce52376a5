"""What is kept of S3: buckets with their settings, objects with versions, metadata, tags and checksums."""

import json
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from moto.s3 import models
from moto.s3.utils import _VersionedKeyStore
from moto.utilities.utils import LowercaseDict

from ndjson_pipeline.local_aws.errors import StateRefusedError
from ndjson_pipeline.local_aws.state.changes import Changes
from ndjson_pipeline.local_aws.state.codec import Codec, Kept
from ndjson_pipeline.local_aws.state.contents import Contents
from ndjson_pipeline.local_aws.state.documents import Documents
from ndjson_pipeline.local_aws.state.store import Row

BUCKETS = "buckets"
_PARTITION = "aws"

S3_CLASSES = (
    Kept(
        models.FakeBucket,
        {"keys": _VersionedKeyStore, "multiparts": models.MultipartDict},
    ),
    Kept(
        models.FakeKey,
        {
            "_value_buffer": tempfile.SpooledTemporaryFile,
            "lock": threading.Lock,
            # The parts that it was uploaded in; its ETag and its checksum stay those of the parts.
            "multipart": lambda: None,
        },
    ),
    Kept(models.FakeDeleteMarker),
    Kept(models.FakeAcl),
    Kept(models.FakeGrant),
    Kept(models.FakeGrantee),
    Kept(models.LifecycleRule),
    Kept(models.LifecycleFilter),
    Kept(models.LifecycleAndFilter),
    Kept(models.LifecycleTransition),
    Kept(models.LifeCycleNoncurrentVersionTransition),
    Kept(models.CorsRule),
    Kept(models.Notification),
    Kept(models.NotificationConfiguration),
    Kept(models.PublicAccessBlock),
    Kept(models.FakeBucketInventoryConfiguration),
    Kept(LowercaseDict),
)


class KeptS3:
    """Reads buckets and objects of moto for their rows, and makes them again.

    Args:
        account: the AWS account.
        contents: where the contents of objects go.
    """

    def __init__(self, account: str, contents: Contents) -> None:
        self._account = account
        self._contents = contents
        self._codec = Codec(S3_CLASSES)
        self._buckets = Documents("bucket")
        # The files of each object, by the name of its row.
        self._files: dict[str, set[str]] = {}
        self._obsolete: set[str] = set()

    @property
    def _backend(self) -> Any:
        return models.s3_backends[self._account][_PARTITION]

    def rows(self, changes: Changes) -> Iterator[Row]:
        """Yield what changed; S3 stands still meanwhile."""
        if BUCKETS in changes.places:
            yield from self._buckets.changed(
                {name: self._bucket_document(bucket) for name, bucket in self._backend.buckets.items()}
            )
        for bucket_name, key in sorted(changes.objects):
            yield self._object_row(bucket_name, key)

    def _bucket_document(self, bucket: Any) -> str:
        tags = self._backend.tagger.get_tag_dict_for_resource(bucket.arn)
        return json.dumps({"bucket": self._codec.encode(bucket), "tags": tags})

    def _object_row(self, bucket_name: str, key: str) -> Row:
        name = f"{bucket_name}/{key}"
        bucket = self._backend.buckets.get(bucket_name)
        versions = [] if bucket is None else bucket.keys.getlist(key, [])
        documents = [self._version_document(version) for version in versions]
        files = {each["content"] for each in documents if "content" in each}
        self._obsolete |= self._files.get(name, set()) - files
        self._files[name] = files
        if not documents:
            del self._files[name]
        return Row("object", name, json.dumps(documents) if documents else None)

    def _version_document(self, version: Any) -> dict[str, Any]:
        if isinstance(version, models.FakeDeleteMarker):
            # The object that it hides is one of the versions.
            return {"marker": self._codec.encode({**vars(version), "key": None})}
        content = getattr(version, "kept_content", None)
        if content is None:
            version.kept_content = content = self._write(version)
        document: dict[str, Any] = {"object": self._codec.encode(version), "content": content}
        if tags := self._backend.tagger.get_tag_dict_for_resource(version.arn):
            document["tags"] = tags
        return document

    def _write(self, version: Any) -> str:
        """Write an object's content, and have moto read it from there, not from memory."""
        # It is computed from the content where the upload did not say it.
        _ = version.etag
        with version.lock:
            version._value_buffer.seek(0)
            content = self._contents.write(version._value_buffer)
            version._value_buffer.close()
            version._value_buffer = self._contents.opened(content)
        return content

    def written(self) -> None:
        """Remove the files of what is gone, now that no row names them."""
        self._contents.remove(self._obsolete)
        self._obsolete = set()

    def restore(self, buckets: Iterator[tuple[str, str]], objects: Iterator[tuple[str, str]]) -> None:
        """Make buckets and objects again.

        Raises:
            StateRefusedError: a row makes no sense, or a content is not there.
        """
        backend = self._backend
        for name, text in buckets:
            document = json.loads(text)
            bucket = self._codec.decode(document["bucket"])
            backend.buckets[name] = bucket
            models.s3_backends.bucket_accounts[name] = (_PARTITION, self._account)
            if document["tags"]:
                backend.tagger.tag_resource(bucket.arn, _tag_list(document["tags"]))
            self._buckets.known(name, text)
        for name, text in objects:
            bucket_name, _, key = name.partition("/")
            bucket = backend.buckets.get(bucket_name)
            if bucket is None:
                raise StateRefusedError(f"the object {name!r} is in no bucket")
            versions: list[Any] = []
            files: set[str] = set()
            for document in json.loads(text):
                versions.append(self._version(document, versions))
                files.update([document["content"]] if "content" in document else [])
            bucket.keys.setlist(key, versions)
            self._files[name] = files
        self._contents.remove_others(set().union(*self._files.values()))

    def _version(self, document: dict[str, Any], older: list[Any]) -> Any:
        if "marker" in document:
            marker = models.FakeDeleteMarker.__new__(models.FakeDeleteMarker)
            hidden = [each for each in older if isinstance(each, models.FakeKey)]
            vars(marker).update(self._codec.decode(document["marker"]), key=hidden[-1] if hidden else None)
            return marker
        version = self._codec.decode(document["object"])
        version._value_buffer.close()
        version._value_buffer = self._contents.opened(document["content"])
        if "tags" in document:
            self._backend.tagger.tag_resource(version.arn, _tag_list(document["tags"]))
        return version

    @property
    def object_count(self) -> int:
        """How many objects there are."""
        return len(self._files)


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]
