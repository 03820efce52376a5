"""Handlers that do what a message's body says, and record each batch they are given."""

import json
import os
import sys
import time
import uuid
from pathlib import Path


def handler(event, context):
    folder = Path(os.environ["RECORD_DIRECTORY"])
    (folder / f"{time.time_ns()}-{uuid.uuid4().hex}.json").write_text(json.dumps(event))
    answer = {"batchItemFailures": []}
    for record in event["Records"]:
        command = json.loads(record["body"]).get("command")
        if command == "fail":
            answer["batchItemFailures"].append({"itemIdentifier": record["messageId"]})
        elif command == "unknown":
            answer["batchItemFailures"].append({"itemIdentifier": "no-such-message"})
        elif command == "raise":
            raise ValueError("told to raise")
        elif command == "hang":
            time.sleep(60)
        elif command == "die":
            os._exit(3)
        elif command == "null":
            answer = None
        elif command == "print":
            sys.stdout.write("printed by the function\n")
    return answer


def tick(event, context):
    folder = Path(os.environ["RECORD_DIRECTORY"])
    started = time.time()
    time.sleep(0.3)
    (folder / f"{time.time_ns()}-tick.json").write_text(
        json.dumps({"event": event, "started": started, "ended": time.time()})
    )
