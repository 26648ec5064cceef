"""A mouse of known syllables, seen by a depth camera."""
