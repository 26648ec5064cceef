"""How much do labels of the same method agree from seed to seed?

    python -m recovery.stability STUDY SAID.npz SAID.npz ...

What ``recovery.recover`` wrote for one study, method and setting under different seeds. Prints the
adjusted mutual information of every two, over all animals and over those never trained on, and means.
"""

import argparse
from pathlib import Path

from recovery.recover import load
from recovery.studies import Study
from syllabary.syllables import selection


def stability(study: Study, places: list[Path]) -> None:
    said = {str(place): load(place, study)[0] for place in places}
    new = [name for name in study.recordings if name not in study.trained]
    for title, names in (("all animals", study.recordings), ("never trained on", new)):
        paths = {place: {name: one[name][0] for name in names} for place, one in said.items()}
        found = selection.agreement(paths)["ami"]
        pairs = " ".join(f"{value:.3f}" for value in found)
        print(f"{title}: mean {found.mean():.3f}, least {found.min():.3f} ({pairs})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("said", type=Path, nargs="+")
    given = parser.parse_args()
    if len(given.said) < 2:
        parser.error("at least two seeds")
    stability(Study(given.study), given.said)
