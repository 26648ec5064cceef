"""Columns of the table of recordings that only its user knows."""

import pytest

from syllabary import study
from syllabary.errors import BadInput, BadSetting
from syllabary.steps import open_study


@pytest.fixture
def read(tmp_path):
    def read(cells, column="x", more=()):
        """Recordings of one covariate, a row for each cell."""
        path = tmp_path / "recordings.tsv"
        lines = ["\t".join(["recording", "path", "subject", "group", column, *more])]
        lines += [f"r{i}\tsimulated\tm{i}\tg\t{cell}" for i, cell in enumerate(cells)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return study.read_recordings(path)

    return read


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (("1", "2.50", "-3"), [1.0, 2.5, -3.0]),
        (("0", "", "10"), [0.0, None, 10.0]),
        (("f", "m", ""), ["f", "m", None]),
        (("007", "8", "9"), ["007", "8", "9"]),
        (("1", "2", "3b"), ["1", "2", "3b"]),
        (("1e5", "2"), ["1e5", "2"]),
        (("0,5", "1,5"), ["0,5", "1,5"]),
        (("nan", "NA", "inf"), ["nan", "NA", "inf"]),
        (("981098106234567891", "981098106234567892"), ["981098106234567891", "981098106234567892"]),
        (("2026-11-30", "2026-12-01"), ["2026-11-30", "2026-12-01"]),
        (("", ""), [None, None]),
    ],
)
def test_a_covariate_is_a_number_if_all_of_its_values_are_plain_ones(read, cells, values):
    rows = study.rows(read(cells))
    assert [row["x"] for row in rows] == values
    assert {type(row["x"]) for row in rows} <= {str, float, type(None)}
    assert list(rows[0]) == ["recording", "subject", "group", "role", "x"]


def test_a_step_without_covariates_does_not_depend_on_them(read):
    rows = study.rows(read(("1", "2")), with_covariates=False)
    assert rows[0] == {"recording": "r0", "subject": "m0", "group": "g", "role": "train"}


@pytest.mark.parametrize("name", ["usage", "Syllable", "verdict", "time_s", "angle", "p"])
def test_a_covariate_named_like_a_column_of_results_is_refused(read, name):
    with pytest.raises(
        BadInput, match=f"column '{name}' has the name of a column of the results; rename"
    ):
        read(("1", "2"), column=name)


def test_values_without_a_name_are_refused_and_a_column_without_both_is_none(read):
    table = read(("", ""), column="", more=("sex",))
    assert "" not in table and table["sex"].tolist() == ["", ""]
    with pytest.raises(BadInput, match="cell 5 has no name in the first line"):
        read(("1", ""), column="", more=("sex",))


def written(tmp_path, rows):
    path = tmp_path / "recordings.tsv"
    text = "".join("\t".join((f"r{i}", "simulated", *row)) + "\n" for i, row in enumerate(rows))
    path.write_text("recording\tpath\tsubject\tgroup\tday\n" + text)
    return {"recordings": str(path)}


CROSSOVER = [(f"m{i}", group, day) for i in range(5) for group, day in (("saline", "1"), ("drug", "2"))]


def test_an_animal_in_several_conditions_is_a_study(tmp_path):
    _, table = open_study(written(tmp_path, CROSSOVER), look=False)
    roles = table.groupby("subject")["role"].agg(set)
    assert sorted(map(len, roles)) == [1] * 5, "an animal is trained on, or held out, in all of them"
    assert (table["role"] == "held_out").sum() == 2
    assert table["day"].tolist() == [1.0, 2.0] * 5


def test_other_animals_are_held_out_as_if_there_were_no_crossover(tmp_path):
    single = [(f"c{i}", "control", "") for i in range(5)]
    _, alone = open_study(written(tmp_path, single), look=False)
    both = [*single, *((animal, f"x-{group}", day) for animal, group, day in CROSSOVER)]
    _, table = open_study(written(tmp_path, both), look=False)
    assert table["role"][:5].tolist() == alone["role"].tolist()


def test_what_cannot_be_compared_stops_before_work_starts(tmp_path):
    rows = [*CROSSOVER, ("m8", "saline", ""), ("m9", "drug", "")]
    with pytest.raises(BadSetting, match=r"5 \(m0, m1, m2, m3, m4\) are in both 'drug' and 'saline'"):
        open_study(written(tmp_path, rows), look=False)
    config = written(tmp_path, rows) | {"summarize": {"pair_by": "subject"}}
    assert len(open_study(config, look=False)[1]) == 12
    with pytest.raises(BadSetting, match=r"compare = 'dai': .* did you mean 'day'"):
        open_study(config | {"summarize": {"compare": "dai"}}, look=False)
