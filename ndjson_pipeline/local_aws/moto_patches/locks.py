"""The locks that make calls of a service wait for each other.

They are re-entrant, because moto's own methods call each other. Who holds one may take those below it, never
one above: S3 sends to SQS.
"""

import threading

S3_LOCK = threading.RLock()
SQS_LOCK = threading.RLock()
DYNAMODB_LOCK = threading.RLock()
