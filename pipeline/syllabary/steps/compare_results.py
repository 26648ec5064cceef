"""Step ``compare_results``: two folders of results of one study to a list of differences."""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["compare_results"]


def compare_results(first: Path, second: Path, renames: Sequence[str] = ()) -> tuple[str, bool]:
    """Compare two folders of results bit for bit.

    Parameters
    ----------
    first, second
        Results of one study, made by two versions or on two machines.
    renames
        ``OLD=NEW`` for each name that differs between the first folder and the second.

    Returns
    -------
    str, bool
        The differences as plain text; true if there are none.
    """
    from ..records import comparison

    result = comparison.compare_folders(first, second, comparison.Renames.parse(renames))
    return comparison.describe(result), result.equal
