"""A day on one page: what came, what became of it, how late, what it cost, and what is wrong with it."""
