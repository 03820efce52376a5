"""The pending files of a date, on their way to a committed manifest."""
