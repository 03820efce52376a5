"""One input file, from its event to its record."""
