"""States to syllables: cuts of a tree against scipy's, people's merges, and refusals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster import hierarchy

from syllabary.errors import BadInput, ShapeError
from syllabary.syllables import tree

K = 12


@pytest.fixture
def linkage(rng):
    """A merge tree of K states."""
    return hierarchy.linkage(rng.standard_normal((K, 3)), "average")


@pytest.fixture
def merges(tmp_path):
    def write(text):
        path = tmp_path / "slds.tsv"
        path.write_text("state\tsyllable\n" + text)
        return tree.read(path)

    return write


def partition(groups):
    """Sets of states, whatever the numbers of the groups."""
    return {frozenset(np.flatnonzero(groups == g).tolist()) for g in np.unique(groups)}


def is_map(syllable_of, states=K):
    """Every state has one syllable, every number is used, in the order of the smallest state."""
    _, first = np.unique(syllable_of, return_index=True)
    return (
        len(syllable_of) == states
        and np.unique(syllable_of).tolist() == list(range(len(first)))
        and (np.diff(first) > 0).all()
    )


@pytest.mark.parametrize("syllables", range(1, K + 1))
def test_a_cut_at_n_syllables_gives_n_and_is_that_of_scipy(linkage, syllables):
    syllable_of = tree.cut(K, linkage, syllables)
    assert is_map(syllable_of)
    assert syllable_of.max() + 1 == syllables
    assert partition(syllable_of) == partition(hierarchy.fcluster(linkage, syllables, "maxclust"))


def test_a_cut_at_n_syllables_gives_n_where_heights_are_equal():
    tied = hierarchy.linkage(np.repeat(np.arange(3.0), 4)[:, None], "single")
    assert [tree.cut(K, tied, n).max() + 1 for n in range(1, K + 1)] == list(range(1, K + 1))


def test_a_coarser_cut_merges_whole_syllables(linkage):
    for n in range(2, K + 1):
        fine, coarse = partition(tree.cut(K, linkage, n)), partition(tree.cut(K, linkage, n - 1))
        assert all(any(part <= whole for whole in coarse) for part in fine)


def test_without_a_tree_every_state_is_a_syllable():
    none = np.zeros((0, 4))
    assert_array_equal(tree.syllable_of_states(5, none), range(5))
    assert_array_equal(tree.syllable_of_states(1, none), [0])


def test_without_a_table_every_state_is_a_syllable(linkage):
    assert_array_equal(tree.syllable_of_states(K, linkage), range(K))


def test_people_cut_elsewhere(linkage, merges):
    chosen = merges("cut\t4\n")
    assert_array_equal(tree.syllable_of_states(K, linkage, chosen), tree.cut(K, linkage, 4))


def test_states_with_the_same_text_are_one_syllable_and_others_stay(merges):
    chosen = merges("4\tgroom\n1\tgroom\n3\t0\n0\t0\n")
    syllable_of = tree.syllable_of_states(6, np.zeros((0, 4)), chosen)
    assert_array_equal(syllable_of, [0, 1, 2, 0, 1, 3])


def test_states_of_one_syllable_of_the_cut_are_split_by_hand(merges):
    pairs = np.array([[0, 1, 0.1, 2], [2, 3, 0.2, 2], [4, 5, 0.3, 4.0]])
    cut = "cut\t1\n"
    assert_array_equal(tree.syllable_of_states(4, pairs, merges(cut)), [0, 0, 0, 0])
    syllable_of = tree.syllable_of_states(4, pairs, merges(cut + "0\ta\n3\tb\n"))
    assert_array_equal(syllable_of, [0, 1, 1, 2])


def test_merging_all_gives_one_syllable(linkage, merges):
    rows = "".join(f"{state}\tall\n" for state in range(K))
    assert_array_equal(tree.syllable_of_states(K, linkage, merges(rows)), np.zeros(K))


def test_any_table_gives_a_partition(linkage, merges, rng):
    for _ in range(50):
        states = rng.permutation(K)[: rng.integers(0, K + 1)]
        rows = "".join(f"{state}\t{rng.integers(0, 4)}\n" for state in states)
        rows += f"cut\t{rng.integers(1, K + 1)}\n" if rng.random() < 0.5 else ""
        chosen = merges(rows)
        syllable_of = tree.syllable_of_states(K, linkage, chosen)
        assert is_map(syllable_of)
        placed = {row.state: row.syllable for row in chosen.rows}
        for a, b in np.ndindex(K, K):
            if a in placed:
                assert (syllable_of[a] == syllable_of[b]) == (placed[a] == placed.get(b))


def test_the_order_of_rows_does_not_matter(linkage, merges):
    rows = ["5\ta\n", "1\ta\n", "cut\t6\n", "7\tb\n", "# a comment\n", "\n", "2\tb\n"]
    expected = tree.syllable_of_states(K, linkage, merges("".join(rows)))
    assert_array_equal(tree.syllable_of_states(K, linkage, merges("".join(rows[::-1]))), expected)


def test_probabilities_of_syllables_sum_to_one(linkage, rng):
    states = rng.dirichlet(np.full(K, 0.2), 300)
    for n in (1, 4, K):
        syllable_of = tree.cut(K, linkage, n)
        summed = tree.summed(states, syllable_of)
        assert summed.shape == (300, n)
        assert_allclose(summed.sum(1), 1)
    assert_allclose(tree.summed(states, np.arange(K)), states)
    first = tree.summed(states.astype(np.float16), tree.cut(K, linkage, 4))
    assert first.dtype == np.float64


def test_names_come_from_classes_and_from_the_table(merges):
    syllable_of = np.array([0, 1, 1, 2, 2])
    assert tree.names(syllable_of, ("walk", "", "groom")) == {0: "walk", 1: "groom"}
    assert tree.names(syllable_of, ("a", "b", "c", "d", "d")) == {0: "a", 1: "b + c", 2: "d"}
    chosen = merges("1\twash\n2\twash\n3\t7\n4\t7\n")
    assert tree.names(syllable_of, ("a", "b", "c"), chosen) == {0: "a", 1: "wash"}
    assert tree.names(syllable_of) == {}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("walk\t1\n", r"line 2: state is 'walk'; wanted the number of a state .* or the word 'cut'\."),
        ("-1\t1\n", "line 2: state is '-1'; wanted the number of a state"),
        ("\t1\n", "line 2: state is ''; wanted the number of a state"),
        ("# why\n3\t\n", "line 3: 3 has no syllable; write a number or a name, or remove the row."),
        ("3\ta\n4\ta\n03\tb\n", "line 4: 03 is already on line 2; keep one of the rows."),
        ("cut\t4\ncut\t5\n", "line 3: cut is already on line 2"),
        (
            "cut\tmany\n",
            "line 2: the cut is 'many'; wanted a number of syllables, such as 20, from 1 on.",
        ),
        ("cut\t0\n", "line 2: the cut is '0'; wanted a number of syllables"),
        ("cut\t\n", "line 2: cut has no syllable"),
    ],
)
def test_bad_rows_are_refused(merges, rows, sentence):
    with pytest.raises(BadInput, match=r"slds\.tsv, " + sentence):
        merges(rows)


def test_what_the_model_lacks_is_refused(linkage, merges):
    with pytest.raises(BadInput, match="line 3: the model has no state 12; its states are 0 to 11"):
        tree.syllable_of_states(K, linkage, merges("1\ta\n12\ta\n"))
    with pytest.raises(BadInput, match="line 2: a cut at 13 syllables, but the model has 12 states"):
        tree.syllable_of_states(K, linkage, merges("cut\t13\n"))
    with pytest.raises(BadInput, match="line 2: the model has no merge tree to cut at 3 syllables"):
        tree.syllable_of_states(K, np.zeros((0, 4)), merges("cut\t3\n"))
    with pytest.raises(ShapeError, match=r"the merge tree is \(11, 4\) but the model has 9 states"):
        tree.syllable_of_states(9, linkage)
    with pytest.raises(ShapeError, match="the map is of 3 states"):
        tree.summed(np.ones((5, 4)), np.arange(3))


def test_a_table_that_is_missing_or_lacks_a_column_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"no\.tsv: no such file"):
        tree.read(tmp_path / "no.tsv")
    path = tmp_path / "slds.tsv"
    path.write_text("state\tname\n1\ta\n")
    with pytest.raises(BadInput, match="lacks the column syllable"):
        tree.read(path)
