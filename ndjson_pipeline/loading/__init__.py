"""Brings what lies elsewhere, or lay there before the notifications, through the queue and its rules."""
