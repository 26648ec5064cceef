"""How much do labels of one method agree between seeds?

    python -m recovery.stability STUDY PREDICTED.npz PREDICTED.npz ...

The files are those of ``recovery.recover`` for one study, method and setting under different seeds.
Prints the adjusted mutual information of each pair and the mean, over all and over held-out animals.
"""

import argparse
from pathlib import Path

from recovery.recover import load
from recovery.studies import Study
from syllabary.syllables import selection


def stability(study: Study, places: list[Path]) -> None:
    predicted = {str(place): load(place, study)[0] for place in places}
    new = [name for name in study.recordings if name not in study.trained]
    for title, names in (("all animals", study.recordings), ("held-out animals", new)):
        paths = {
            place: {name: by_recording[name][0] for name in names}
            for place, by_recording in predicted.items()
        }
        ami = selection.agreement(paths)["ami"]
        pairs = " ".join(f"{value:.3f}" for value in ami)
        print(f"{title}: mean {ami.mean():.3f}, minimum {ami.min():.3f} ({pairs})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("predicted", type=Path, nargs="+")
    options = parser.parse_args()
    if len(options.predicted) < 2:
        parser.error("at least two seeds")
    stability(Study(options.study), options.predicted)
