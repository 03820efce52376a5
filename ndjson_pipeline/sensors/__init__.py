"""Sensors: what makes things happen without a person."""
