"""Tests of the code location and the command line, with AWS in this process at most."""
