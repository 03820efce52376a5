"""The credentials of one start of the local AWS."""

import secrets
import string
from dataclasses import dataclass, field
from typing import Self

# As AWS's own, so that no client finds them odd
# (https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html).
_KEY_ID_CHARACTERS = string.ascii_uppercase + "234567"
_KEY_ID_LENGTH = 20
_KEY_ID_PREFIX = "LKIA"
_SECRET_BYTES = 30


@dataclass(frozen=True)
class LocalCredentials:
    """What a client signs its requests with.

    Attributes:
        access_key_id: its name, which every request tells.
        secret_access_key: what it signs with, which no request tells.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)

    @classmethod
    def make(cls) -> Self:
        """Make credentials that nobody can guess."""
        length = _KEY_ID_LENGTH - len(_KEY_ID_PREFIX)
        drawn = "".join(secrets.choice(_KEY_ID_CHARACTERS) for _ in range(length))
        return cls(f"{_KEY_ID_PREFIX}{drawn}", secrets.token_urlsafe(_SECRET_BYTES))
