"""Ops: what an operator does by hand from the UI."""
