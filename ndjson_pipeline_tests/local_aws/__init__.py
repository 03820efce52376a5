"""Tests of the local AWS, against real servers and processes."""
