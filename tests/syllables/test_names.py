import pandas as pd
import pytest

from syllabary.errors import BadInput
from syllabary.syllables import names


def test_names_survive_the_file(tmp_path):
    names.write(tmp_path / "names.tsv", {3: "rear up", 0: "walk"})
    assert names.read(tmp_path / "names.tsv") == {0: "walk", 3: "rear up"}
    assert (tmp_path / "names.tsv").read_text() == "syllable\tname\n0\twalk\n3\trear up\n"


def test_rows_without_a_name_are_skipped_and_columns_may_be_added(tmp_path):
    path = tmp_path / "names.tsv"
    path.write_text("# ours\nname\tsyllable\tnote\nwalk\t0\tfast\n\t1\tunclear\n rear \t2\t\n")
    assert names.read(path) == {0: "walk", 2: "rear"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("syllable\n0\n", "lacks the column name"),
        ("syllable\tname\nzero\twalk\n", "'zero' is not a number"),
        ("syllable\tname\n1\twalk\n1\trear\n", "syllable 1 has two names"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, text, sentence):
    (tmp_path / "names.tsv").write_text(text)
    with pytest.raises(BadInput, match=sentence):
        names.read(tmp_path / "names.tsv")
    with pytest.raises(BadInput, match="no such file"):
        names.read(tmp_path / "other.tsv")


def test_proposals_are_plain_and_marked_as_such(tmp_path):
    means = [
        # highest point, rising, speed, turning
        (80, 120, 20, 0, "rear up?"),
        (48, 90, 20, 0, "rear up?"),
        (75, -90, 20, 0, "rear down?"),
        (85, 0, 5, 0, "rear?"),
        (40, 0, 400, 0, "dart?"),
        (40, 0, 100, 0.1, "walk?"),
        (40, 0, 30, 2.5, "turn right?"),
        (40, 0, 30, -2.5, "turn left?"),
        (40, 0, 3, 0, "still?"),
        (40, 0, 40, 0, "slow?"),
    ]
    columns = ["height_max_mm", "rising_mm_s", "speed_mm_s", "turning_rad_s", "expected"]
    table = pd.DataFrame(means, columns=columns)
    table["syllable"] = range(len(table))
    proposed = names.propose(table)
    assert proposed["name"].tolist() == table["expected"].tolist()
    assert proposed["rule"][0] == "rising 120 mm/s, highest point 80 mm"
    names.write(tmp_path / "names.tsv", proposed)
    assert names.read(tmp_path / "names.tsv")[5] == "walk?"
