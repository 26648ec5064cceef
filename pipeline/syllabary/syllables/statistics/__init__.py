"""Comparison of groups of animals.

In reading order: ``measures`` (numbers of each animal), ``permutations`` (rearrangements of animals, and
statistics for each), ``group_tests`` (two groups or more), ``groups`` (every measure between all groups:
the table ``statistics``). The design of the study, one folder up, has what is a group and what a unit.
"""

__all__ = ["group_tests", "groups", "measures", "permutations"]
