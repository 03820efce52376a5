"""Application Auto Scaling: the tags of what scales, which Terraform's provider asks for."""

import functools
import json
from typing import Any

import moto.applicationautoscaling.models
import moto.applicationautoscaling.responses
from moto.core.responses import ActionResult

from ndjson_pipeline.local_aws.moto_patches.registry import Services, replaces

_HANDLER = moto.applicationautoscaling.responses.ApplicationAutoScalingResponse


def _tags(handler: Any) -> dict[str, dict[str, str]]:
    """Return the tags of each target by its ARN; kept with the backend, so that they end with its state."""
    tags: dict[str, dict[str, str]] = vars(handler.applicationautoscaling_backend).setdefault(
        "target_tags", {}
    )
    return tags


@replaces(_HANDLER, "list_tags_for_resource")
def _targets_have_tags(_original: Any, _services: Services) -> Any:
    """Stock moto has no ListTagsForResource."""

    def list_tags_for_resource(handler: Any) -> Any:
        return ActionResult({"Tags": _tags(handler).get(handler._get_param("ResourceARN"), {})})

    return list_tags_for_resource


@replaces(_HANDLER, "register_scalable_target")
def _targets_may_begin_with_tags(original: Any, _services: Services) -> Any:
    """Stock moto drops the tags of RegisterScalableTarget."""

    @functools.wraps(original)
    def register_scalable_target(handler: Any) -> Any:
        answer = original(handler)
        if tags := handler._get_param("Tags"):
            _tags(handler).setdefault(json.loads(answer)["ScalableTargetARN"], {}).update(tags)
        return answer

    return register_scalable_target


@replaces(_HANDLER, "tag_resource")
def _targets_can_be_tagged(_original: Any, _services: Services) -> Any:
    """Stock moto has no TagResource."""

    def tag_resource(handler: Any) -> Any:
        _tags(handler).setdefault(handler._get_param("ResourceARN"), {}).update(handler._get_param("Tags"))
        return ActionResult({})

    return tag_resource


@replaces(_HANDLER, "untag_resource")
def _targets_can_be_untagged(_original: Any, _services: Services) -> Any:
    """Stock moto has no UntagResource."""

    def untag_resource(handler: Any) -> Any:
        tags = _tags(handler).get(handler._get_param("ResourceARN"), {})
        for key in handler._get_param("TagKeys"):
            tags.pop(key, None)
        return ActionResult({})

    return untag_resource
