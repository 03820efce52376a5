"""The record of a manifest in the tracking table: what it says, how it may change, who may change it."""
