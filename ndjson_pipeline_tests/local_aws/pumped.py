"""A queue whose function records the batches it is given."""

import json
from pathlib import Path

from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings, ResourceSettings
from ndjson_pipeline_tests.local_aws.conftest import FUNCTIONS, messages_in

VISIBILITY_SECONDS = 1
# One less than deployed, because each receive costs a visibility timeout.
MAX_RECEIVE_COUNT = 2


class Pumped:
    """A local AWS whose builder records the batches it is given."""

    def __init__(self, aws: LocalAws, records: Path) -> None:
        self.aws = aws
        self.sqs = aws.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=aws.names.queue)["QueueUrl"]
        self.records = records
        self._dead_before = 0

    def send(self, *commands: str, **attributes: object) -> list[str]:
        entries = [
            {"Id": str(number), "MessageBody": json.dumps({"command": command}), **attributes}
            for number, command in enumerate(commands)
        ]
        answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        return [message["MessageId"] for message in answer["Successful"]]

    def batches(self) -> list[list[dict]]:
        return [json.loads(path.read_text())["Records"] for path in sorted(self.records.glob("*.json"))]

    def receives(self, message_id: str) -> list[int]:
        return [
            int(record["attributes"]["ApproximateReceiveCount"])
            for batch in self.batches()
            for record in batch
            if record["messageId"] == message_id
        ]

    def forget_the_dead(self) -> None:
        self._dead_before += self.dead()

    def dead(self) -> int:
        return messages_in(self.aws, self.aws.names.dead_letter_queue)[0] - self._dead_before

    def is_empty(self) -> bool:
        return messages_in(self.aws, self.aws.names.queue) == (0, 0)


def pumped(tmp_path: Path, **changes: object):
    records = tmp_path / "records"
    records.mkdir()
    settings = {
        "manifest_builder_handler": "queue_functions.handler",
        "sweeper_handler": "queue_functions.tick",
        "python_path": (FUNCTIONS,),
        "lambda_variables": {"RECORD_DIRECTORY": str(records)},
        "lambda_timeout_seconds": 1,
        "timer_enabled": False,
        "resources": ResourceSettings(
            visibility_timeout_seconds=VISIBILITY_SECONDS, max_receive_count=MAX_RECEIVE_COUNT
        ),
        **changes,
    }
    return LocalAws(directory=tmp_path / "aws", settings=LocalAwsSettings(**settings)), records
