"""Where a run's context and messages lie."""

from ndjson_pipeline.glue.messages import PIPES_PREFIX, IdentityMessageReader


def test_messages_of_the_same_run_lie_in_the_same_place() -> None:
    readers = [IdentityMessageReader(bucket="b", client=None, identity=identity) for identity in "xxy"]
    places = []
    for reader in readers:
        with reader.get_params() as params:
            places.append((params["bucket"], params["key_prefix"]))
    assert places[0] == places[1] == ("b", f"{PIPES_PREFIX}x/messages")
    assert places[2] != places[0]
