"""How long is too long."""

# Deadlines are written for a quiet machine and a test alone on it. Beside other lanes, or on a busy or a
# slow machine, everything takes longer, and a deadline is there for what never comes.
PATIENCE = 4
