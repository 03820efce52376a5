"""The conversion's speed against that of other engines, on the same files."""
