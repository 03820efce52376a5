"""Measurements; they assert nothing, and are no part of the tests."""
