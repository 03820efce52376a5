"""Lines to tables, every line accounted for."""
