"""The commands of the library."""

ENTRY_POINTS = "facial_keypoints.commands"
"""Group of entry points: functions that take the app and add commands of another package to it."""
