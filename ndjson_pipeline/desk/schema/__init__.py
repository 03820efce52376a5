"""The schema of a dataset, read and changed by hand: versions, what differs, which dates follow."""
