"""Application Auto Scaling: the tags of its targets, and what is said of one that is gone."""

import functools
import json
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError

from ndjson_pipeline.local_aws.moto_patches.registry import Services, replaces


@replaces(ApplicationAutoScalingResponse, "register_scalable_target")
def _targets_keep_the_tags_they_come_with(original: Any, _services: Services) -> Any:
    """Stock moto drops the tags of RegisterScalableTarget."""

    @functools.wraps(original)
    def register_scalable_target(handler: Any) -> str:
        answer: str = original(handler)
        _tags(handler, json.loads(answer)["ScalableTargetARN"]).update(handler._get_param("Tags") or {})
        return answer

    return register_scalable_target


@replaces(ApplicationAutoScalingResponse, "list_tags_for_resource")
def _tags_are_listed(_original: Any, _services: Services) -> Any:
    """Stock moto has no ListTagsForResource, which Terraform asks of each target."""

    def list_tags_for_resource(handler: Any) -> str:
        return json.dumps({"Tags": _tags(handler, handler._get_param("ResourceARN"))})

    return list_tags_for_resource


@replaces(ApplicationAutoScalingResponse, "tag_resource")
def _targets_are_tagged(_original: Any, _services: Services) -> Any:
    """Stock moto has no TagResource here."""

    def tag_resource(handler: Any) -> str:
        _tags(handler, handler._get_param("ResourceARN")).update(handler._get_param("Tags"))
        return "{}"

    return tag_resource


@replaces(ApplicationAutoScalingResponse, "untag_resource")
def _tags_are_taken_off(_original: Any, _services: Services) -> Any:
    """Stock moto has no UntagResource here."""

    def untag_resource(handler: Any) -> str:
        tags = _tags(handler, handler._get_param("ResourceARN"))
        for name in handler._get_param("TagKeys"):
            tags.pop(name, None)
        return "{}"

    return untag_resource


@replaces(ApplicationAutoscalingBackend, "deregister_scalable_target")
def _a_target_that_is_gone_is_not_found(original: Any, _services: Services) -> Any:
    """Stock moto calls it a ValidationException, by which Terraform can't tell that it need not delete it.

    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
    """

    @functools.wraps(original)
    def deregister_scalable_target(backend: Any, namespace: str, r_id: str, dimension: str) -> None:
        try:
            original(backend, namespace, r_id, dimension)
        except AWSValidationException as error:
            raise JsonRESTError("ObjectNotFoundException", error.message) from error

    return deregister_scalable_target


def _tags(handler: Any, arn: str) -> dict[str, str]:
    """Return a target's tags, to read and to change.

    Raises:
        AWSValidationException: there is no such target.
    """
    for by_resource in handler.applicationautoscaling_backend.targets.values():
        for target in by_resource.values():
            if target.arn == arn:
                tags: dict[str, str] = target.__dict__.setdefault("tags", {})
                return tags
    raise AWSValidationException(f"No scalable target of ARN {arn}")
