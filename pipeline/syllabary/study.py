"""A study: its settings, its recordings, its files."""
