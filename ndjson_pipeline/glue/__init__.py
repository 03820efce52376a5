"""Glue runs: started once for each attempt, watched to their end, stopped on demand."""
