"""Argument parsing, nothing else."""
