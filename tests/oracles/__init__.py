"""Slow, obvious answers that share no code with what they judge."""
