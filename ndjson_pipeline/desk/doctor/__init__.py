"""Looks at every part of a deployment and says of each that it is well, or what to do."""
