"""Two runs of one study: are their results equal?"""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["compare_results"]


def compare_results(first: Path, second: Path, renames: Sequence[str] = ()) -> tuple[str, bool]:
    """Compare two result folders bit for bit.

    Parameters
    ----------
    first, second
        Result folders of one study, run on two versions or two machines.
    renames
        ``OLD=NEW`` for names of the first folder that the second spells in another way.

    Returns
    -------
    str, bool
        What is equal and what differs, as plain text; true if all is equal.
    """
    from ..records import comparison

    result = comparison.compare_folders(first, second, comparison.Renames.parse(renames))
    return comparison.describe(result), result.equal
