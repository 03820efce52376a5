"""The places in AWS that the driver itself writes to: scripts buckets, and the image's repository."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy.driver.commands import Commands
from deploy.driver.errors import DeployError
from deploy.driver.image_context import DOCKERFILE

_PLATFORM = "linux/arm64"


class ScriptsBucket:
    """A feed's bucket of the Glue job's files, which nobody but a deployment writes.

    Args:
        s3: the client.
        bucket: its name.
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def upload(self, files: Mapping[str, Path]) -> list[str]:
        """Send what is not there, and return its keys; a key says what is in it, so nothing is ever replaced.

        Args:
            files: by key.

        Raises:
            ClientError, BotoCoreError, Boto3Error: S3 does not take one.
        """
        missing = [key for key, path in files.items() if not self._has(key, path.stat().st_size)]
        for key in missing:
            self._s3.upload_file(str(files[key]), self._bucket, key)
        return missing

    def _has(self, key: str, size_bytes: int) -> bool:
        try:
            return bool(self._s3.head_object(Bucket=self._bucket, Key=key)["ContentLength"] == size_bytes)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return False


def is_empty(s3: Any, bucket: str) -> bool:
    """Tell whether a bucket has no object and no former version of one; a bucket that is gone is empty.

    Raises:
        ClientError, BotoCoreError: S3 does not say.
    """
    try:
        found = s3.list_object_versions(Bucket=bucket, MaxKeys=1)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return True
        raise
    return not found.get("Versions") and not found.get("DeleteMarkers")


class Repository:
    """The repository of the image, in ECR.

    Args:
        ecr: the client.
        name: of the repository.
        commands: runs docker.
    """

    def __init__(self, ecr: Any, name: str, commands: Commands) -> None:
        self._ecr = ecr
        self._name = name
        self._commands = commands

    def has(self, tag: str) -> bool:
        """Tell whether there is an image of a tag; False where there is no repository yet.

        Raises:
            ClientError, BotoCoreError: ECR does not say.
        """
        try:
            self._ecr.describe_images(repositoryName=self._name, imageIds=[{"imageTag": tag}])
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ImageNotFoundException", "RepositoryNotFoundException"):
                return False
            raise
        return True

    def push(self, tag: str, context: Path) -> str:
        """Build the image and push it; return its name.

        Raises:
            CommandError: docker failed.
            ClientError, BotoCoreError: ECR does not let in.
        """
        (repository,) = self._ecr.describe_repositories(repositoryNames=[self._name])["repositories"]
        (login,) = self._ecr.get_authorization_token()["authorizationData"]
        user, _, password = base64.b64decode(login["authorizationToken"]).decode().partition(":")
        self._commands.run(
            ["docker", "login", "--username", user, "--password-stdin", login["proxyEndpoint"]],
            standard_input=password,
        )
        image = f"{repository['repositoryUri']}:{tag}"
        build = ["docker", "buildx", "build", "--platform", _PLATFORM, "--tag", image, "--push"]
        self._commands.run([*build, "--file", str(context / DOCKERFILE), str(context)])
        return image


def require_docker(commands: Commands, tag: str) -> None:
    """Make sure that an image can be built, before anything is changed.

    Raises:
        DeployError: it can't; the text says what else to do.
    """
    try:
        commands.output(["docker", "buildx", "version"])
    except DeployError as error:
        raise DeployError(
            f"the image {tag} is in no repository yet, and can't be built here ({error}). Have CI build it "
            f"from build/image for {_PLATFORM}, push it, and pass its name: make deploy ENV=... IMAGE=..."
        ) from error
