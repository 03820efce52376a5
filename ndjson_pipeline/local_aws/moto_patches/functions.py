"""Lambda: functions and event source mappings without Docker."""

import functools
from typing import Any

import moto.awslambda.responses
import moto.sqs.models
from moto.awslambda.exceptions import UnknownFunctionException

from ndjson_pipeline.local_aws.moto_patches.registry import Services, replaces


@replaces(moto.sqs.models.Queue, "lambda_event_source_mappings")
def _event_source_mappings_are_inert(_original: Any, _services: Services) -> Any:
    """Stock moto runs a queue's function in Docker inside the send, which uses up the message's receives."""

    def get(_queue: Any) -> dict[str, Any]:
        # The mapping's record is kept with the functions; a queue that knows of none invokes none.
        return {}

    def refuse(_queue: Any, _value: dict[str, Any]) -> None:
        return None

    return property(get, refuse)


@replaces(moto.awslambda.responses.LambdaResponse, "invoke")
def _functions_run_in_processes(original: Any, services: Services) -> Any:
    """Stock moto runs functions in Docker."""

    @functools.wraps(original)
    def invoke(handler: Any) -> Any:
        return services.functions.answer(handler.path, handler.headers, handler.body) or original(handler)

    return invoke


@replaces(moto.awslambda.responses.LambdaResponse, "get_function_configuration")
def _functions_tell_how_they_are_set(original: Any, services: Services) -> Any:
    """Stock moto knows no function that was not made by its own CreateFunction."""

    @functools.wraps(original)
    def get_function_configuration(handler: Any) -> Any:
        try:
            return original(handler)
        except UnknownFunctionException:
            answer = services.functions.configuration(handler.path)
            if answer is None:
                raise
            return answer

    return get_function_configuration
