"""Checks that hold, in the order in which they are listed."""

from repository import sizes

CHECKS = (
    sizes.unused_exceptions,
    sizes.crowded_folders,
)
