"""Files put at a rate, by several at once, whether or not those before have been answered."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.items import error_code
from ndjson_pipeline.load_test.clocks import ServerClock
from ndjson_pipeline.load_test.plan import LoadTestPlan

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# Where so many in a row fail, the rest would too.
_MOST_FAILED_IN_A_ROW = 25


@dataclass
class Puts:
    """What was put.

    Attributes:
        answered_at: when each file was there, by its name, in this machine's epoch seconds.
        seconds: how long each took.
        errors: why others were not put.
        retries: how many requests were made again.
        began_at: when the first began.
        ended_at: when the last was answered.
        clock: AWS's.
        is_broken_off: whether so many failed that the rest was not tried.
    """

    answered_at: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    began_at: float = 0.0
    ended_at: float = 0.0
    clock: ServerClock = field(default_factory=ServerClock)
    is_broken_off: bool = False

    @property
    def files_a_second(self) -> float:
        """The rate that was reached."""
        return len(self.answered_at) / max(self.ended_at - self.began_at, 1e-9)


def put_files(
    s3: "S3Client",
    plan: LoadTestPlan,
    contents: Sequence[bytes],
    *,
    bucket: str,
    prefix: str,
    now: Callable[[], float],
    sleep: Callable[[float], None],
    is_stopped: Callable[[], bool],
    tell: Callable[[int], None],
) -> Puts:
    """Put all files, each when it is due; one that fails is counted.

    Args:
        s3: the client.
        plan: the files.
        contents: that they share.
        bucket: where to.
        prefix: below which.
        now: this machine's epoch seconds.
        sleep: waits.
        is_stopped: whether a person wants it to stop.
        tell: told how many are done.
    """
    puts, lock, numbers = Puts(began_at=now()), threading.Lock(), itertools.count()
    failed_in_a_row = 0

    def put(number: int) -> None:
        nonlocal failed_in_a_row
        name = plan.names[number]
        asked_at = now()
        try:
            answer = s3.put_object(
                Bucket=bucket,
                Key=f"{prefix}{name}",
                Body=contents[number % len(contents)],
                IfNoneMatch="*",
            )
        except (ClientError, BotoCoreError) as error:
            with lock:
                failed_in_a_row += 1
                puts.is_broken_off = puts.is_broken_off or failed_in_a_row >= _MOST_FAILED_IN_A_ROW
                puts.errors[error_code(error) or type(error).__name__] += 1
            return
        answered_at = now()
        described = answer["ResponseMetadata"]
        with lock:
            failed_in_a_row = 0
            puts.answered_at[name] = answered_at
            puts.seconds.append(answered_at - asked_at)
            puts.retries += int(described.get("RetryAttempts", 0))
            # A request that was made again began later than it seems.
            if not described.get("RetryAttempts"):
                puts.clock.learn(asked_at, answered_at, described.get("HTTPHeaders", {}).get("date"))
            puts.ended_at = max(puts.ended_at, answered_at)
            tell(len(puts.answered_at) + puts.errors.total())

    def work() -> None:
        while not (is_stopped() or puts.is_broken_off):
            number = next(numbers)
            if number >= len(plan.names):
                return
            early = puts.began_at + number / plan.rate - now()
            if early > 0:
                sleep(early)
            put(number)

    with ThreadPoolExecutor(max_workers=plan.concurrency) as pool:
        for done in [pool.submit(work) for _ in range(plan.concurrency)]:
            done.result()
    return puts
