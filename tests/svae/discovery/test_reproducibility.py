"""How many states independent fits agree on."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from syllabary.records import clock
from syllabary.reduction.latents import LatentSeries
from syllabary.svae.discovery import reproducibility

N = 20_000


def confirmed(labels, others):
    """From scikit-learn's mutual information, less the mean of that of labels shifted by ninths."""
    shifted = [np.concatenate([others[-n:], others[:-n]]) for n in len(labels) * np.arange(1, 9) // 9]
    shared = mutual_info_score(labels, others)
    shared -= np.mean([mutual_info_score(labels, each) for each in shifted])
    return shared - (entropy(np.unique(labels, return_counts=True)[1]) - shared)


@pytest.mark.parametrize("kind", [np.int16, np.int64])
def test_confirmed_information_is_shared_less_what_is_left_open(rng, kind):
    # Many states: their pairs overflow 16 bits.
    first = rng.integers(300, size=N)
    second = np.where(rng.random(N) < 0.7, first // 2, rng.integers(200, size=N))
    result = reproducibility.confirmed_information(first.astype(kind), second.astype(kind))
    assert result == pytest.approx(confirmed(first, second), abs=1e-9)


def test_confirmed_information_of_labels_alike_unlike_and_finer(rng):
    labels, noise = rng.integers(4, size=N), rng.integers(2, size=N)
    of = reproducibility.confirmed_information
    whole = entropy(np.bincount(labels))
    # Chance differs from 0 by (K - 1)^2 / 2N nats, which shifts show.
    assert of(labels, labels) == pytest.approx(whole, abs=2e-3)
    assert of(labels, 3 - labels) == pytest.approx(whole, abs=2e-3)
    assert of(labels, rng.integers(4, size=N)) == pytest.approx(-whole, abs=2e-3)
    # States that noise divides are left open: one bit. The other way round all is confirmed.
    assert of(2 * labels + noise, labels) == pytest.approx(whole - np.log(2), abs=0.01)
    assert of(labels, 2 * labels + noise) == pytest.approx(whole, abs=2e-3)
    assert of(labels, np.zeros(N, int)) == pytest.approx(-whole)
    assert of(labels[:0], labels[:0]) == 0


def test_what_long_bouts_share_by_chance_is_not_confirmed(rng):
    """Two labelings of some 40 long bouts each, drawn apart."""
    values = []
    for _ in range(60):
        borders = [np.sort(rng.integers(N, size=40)) for _ in range(2)]
        first, second = (
            rng.integers(6, size=41)[np.searchsorted(each, np.arange(N))] for each in borders
        )
        assert mutual_info_score(first, second) > 0.08
        shared = reproducibility.confirmed_information(first, second)
        values.append(shared + entropy(np.bincount(first)))
    assert abs(np.mean(values)) < 0.06


def in_parts(labels):
    return np.split(labels, 8)


def test_the_best_number_is_the_last_that_both_confirm(rng):
    four = rng.integers(4, size=N)
    truth = {1: 0 * four, 2: four // 2, 4: four}
    fits = [{**truth, 8: 2 * four + rng.integers(2, size=N)} for _ in range(2)]
    # A number that one fit alone has is not compared.
    fits[0][5] = four
    fits = [{number: in_parts(labels) for number, labels in fit.items()} for fit in fits]
    number, values = reproducibility.best_number(*fits)
    assert number == 4
    assert sorted(values) == [1, 2, 4, 8]
    assert values[1] == 0 and values[2] == pytest.approx(np.log(2), abs=5e-3)
    pairs = [(fits[i][2], fits[1 - i][8]) for i in range(2)]
    each = [confirmed(*labels) for pair in pairs for labels in zip(*pair, strict=True)]
    assert values[2] == pytest.approx(np.mean(each))


def test_fits_that_merge_in_another_order_confirm_each_other(rng):
    """With two states each of four, they tell different things, but both know all four."""
    four = rng.integers(4, size=N)
    three = np.minimum(four, 2), np.maximum(four, 1) - 1
    fits = [
        {1: 0 * four, 2: two, 3: finer, 4: four}
        for two, finer in zip((four // 2, four % 2), three, strict=True)
    ]
    fits = [{number: in_parts(labels) for number, labels in fit.items()} for fit in fits]
    number, values = reproducibility.best_number(*fits)
    assert number == 4
    assert 0 < values[2] < values[3] < values[4]


@pytest.mark.parametrize(("better", "number"), [(0.5, 3), (1.5, 2)])
def test_the_largest_number_that_is_not_clearly_worse_is_taken(monkeypatch, better, number):
    """Differences to the best are taken part by part: 3 is worse by some standard errors."""
    apart = np.array([-2.0, 0.0, 1.0, 3.0])
    apart += better * apart.std(ddof=1) / 2 - apart.mean()
    level = np.array([10.0, 50.0, 30.0, 20.0])
    values = {2: level + apart, 3: level}
    monkeypatch.setattr(reproducibility, "confirmed_information", lambda a, b: values[len(a)][int(b[0])])
    fit = {k: [np.r_[part, np.arange(4, 3 + k)] for part in range(4)] for k in values}
    assert reproducibility.best_number(fit, fit)[0] == number


def test_a_number_with_one_more_state_that_labels_nothing_is_left_out(rng):
    four = rng.integers(4, size=N)
    fit = {1: in_parts(0 * four), 4: in_parts(four), 5: in_parts(four)}
    assert reproducibility.best_number(fit, fit)[0] == 4


def test_a_state_that_labels_nothing_here_does_not_limit_the_number_of_others(rng):
    """It may belong to animals that are in no compared part."""
    four = rng.integers(4, size=N)
    labels_of = {1: 0 * four, 3: np.where(four > 1, 2, 0), 4: np.where(four > 1, four, 0)}
    fit = {number: in_parts(labels) for number, labels in labels_of.items()} | {5: in_parts(four)}
    assert reproducibility.best_number(fit, fit)[0] == 5
    fit[6] = in_parts(np.where(four > 1, four + 2, four))
    assert reproducibility.best_number(fit, fit)[0] == 5


def test_fits_that_agree_on_nothing_have_one_state(rng):
    fits = [{k: in_parts(rng.integers(k, size=N)) for k in (2, 3)} for _ in range(2)]
    number, values = reproducibility.best_number(*fits)
    assert number == 1 and values[1] == 0 and max(values[2], values[3]) < 0


def test_one_part_is_compared_without_an_error(rng):
    four = rng.integers(4, size=N)
    fit = {1: [0 * four], 2: [four // 2], 4: [four]}
    assert reproducibility.best_number(fit, fit)[0] == 4


def test_confusion_reads_states_of_another_fit_as_own_ones(rng):
    """Frame by frame; the other fit has five states, whose numbers mean nothing here."""
    states = [rng.integers(3, size=n) for n in (400, 300, 0, 200)]
    meaning = np.array([2, 0, 1, 1, 0])
    others = []
    for part in states:
        shuffled = np.array([rng.choice(np.flatnonzero(meaning == state)) for state in part], int)
        wrong = rng.random(len(part)) < 0.2
        others.append(np.where(wrong, rng.integers(5, size=len(part)), shuffled))
    unseen = [True, False, True, True]
    counts = reproducibility.confusion(states, others, unseen, 3)
    expected = np.zeros((3, 3))
    for first, theirs, counted in zip(states, others, unseen, strict=True):
        for a, b in zip(first, theirs, strict=True):
            expected[a, meaning[b]] += counted
    assert_array_equal(counts, expected)
    assert counts.sum() == 600
    assert_array_equal(reproducibility.confusion(states, others, [False] * 4, 3), np.zeros((3, 3)))


def test_agreement_is_a_probability_of_the_other_state_by_the_own():
    counts = np.array([[90.0, 10, 0, 0], [0, 30, 10, 0], [0, 0, 60, 0], [0, 0, 0, 0]])
    result = reproducibility.agreement(counts)
    assert_allclose(result.sum(1), 1)
    # One frame of average usage: 90, 40 and 70 of 200.
    assert_allclose(result[0], [90.45 / 101, 10.2 / 101, 0.35 / 101, 0])
    assert_allclose(result[1], [0.45 / 41, 30.2 / 41, 10.35 / 41, 0])
    assert_array_equal(result[3], [0, 0, 0, 1])
    assert_array_equal(reproducibility.agreement(np.zeros((2, 2))), np.eye(2))


def recordings(rng, lengths, **rest):
    return {
        f"r{i}": LatentSeries(
            rng.standard_normal((n, 2)), rng.random(n) < 0.9, rng.random((n, 2)), None, np.ones(2), 1
        )._replace(**rest)
        for i, n in enumerate(lengths)
    }


@pytest.mark.parametrize("lengths", [(50,), (40, 31), (9, 8, 7), (9, 0, 8, 7, 6, 5, 4), (2,), (0,)])
def test_parts_have_every_tick_once(rng, lengths):
    latents = recordings(rng, lengths)
    divided = reproducibility.parts(latents)
    assert len(divided) == 3
    ticks = [
        (part.recording, t) for group in divided for part in group for t in range(part.start, part.stop)
    ]
    assert len(ticks) == len(set(ticks)) == sum(lengths)
    if len(lengths) >= 3:
        # Recordings stay whole, and each part has one at least.
        assert all(divided)
        assert all(part.start == 0 for group in divided for part in group)
        assert max(map(len, divided)) - min(map(len, divided)) <= 1
    else:
        sizes = [sum(part.stop - part.start for part in group) for group in divided]
        assert max(sizes) - min(sizes) <= len(lengths)


def split(latents):
    return [sorted({part.recording for part in group}) for group in reproducibility.parts(latents)]


@pytest.mark.parametrize(
    "subjects",
    [("a", "b", "a", "c"), ("c", "c", "b", "b", "a", "a"), ("x", "y", "z", "w", "z", "y", "x")],
)
def test_all_recordings_of_an_animal_are_on_one_side(rng, subjects):
    latents = recordings(rng, range(5, 5 + len(subjects)))
    for series, subject in zip(list(latents), subjects, strict=True):
        latents[series] = latents[series]._replace(subject=subject)
    groups = split(latents)
    side = {latents[name].subject: i for i, group in enumerate(groups) for name in group}
    assert sorted(name for group in groups for name in group) == sorted(latents)
    for i, group in enumerate(groups):
        assert group and {side[latents[name].subject] for name in group} == {i}
    rest = reproducibility.without(latents, reproducibility.parts(latents), 0)
    assert {series.subject for series in rest.values()} == {s for s, i in side.items() if i}


@pytest.mark.parametrize("count", [3, 4, 7])
def test_animals_of_one_recording_each_are_divided_as_recordings_are(rng, count):
    latents = recordings(rng, [9] * count)
    named = {
        name: series._replace(subject=f"mouse {count - i}")
        for i, (name, series) in enumerate(latents.items())
    }
    assert reproducibility.parts(named) == reproducibility.parts(latents)
    assert [len(group) for group in split(named)] == [len(range(i, count, 3)) for i in range(3)]


@pytest.mark.parametrize(("count", "animals"), [(4, 2), (6, 1), (2, 2), (1, 1)])
def test_fewer_than_three_animals_are_divided_by_recording_or_time(rng, count, animals):
    latents = recordings(rng, [30] * count)
    named = {
        name: series._replace(subject=f"m{i % animals}")
        for i, (name, series) in enumerate(latents.items())
    }
    assert reproducibility.parts(named) == reproducibility.parts(latents)


@pytest.mark.parametrize("lengths", [(50, 31), (9, 8, 7, 6)])
def test_without_a_part_the_others_are_left_as_they_were(rng, lengths):
    latents = recordings(rng, lengths, shifts=None)
    divided = reproducibility.parts(latents)
    for left_out in range(3):
        rest = reproducibility.without(latents, divided, left_out)
        others = [part for i, group in enumerate(divided) if i != left_out for part in group]
        assert len(rest) == len(others)
        rest_of = sorted(rest.items())
        for part in others:
            (left,) = (
                series
                for name, series in rest_of
                if name.startswith(part.recording)
                and np.array_equal(series.values, latents[part.recording].values[part.start : part.stop])
            )
            whole = latents[part.recording]
            assert_array_equal(left.observed, whole.observed[part.start : part.stop])
            assert_array_equal(left.information, whole.information[part.start : part.stop])
            assert left.shifts is None and left.motion == 1
            assert_array_equal(left.subject_offset, np.ones(2))
    # The fits are compared on what each has not seen, and learn from the third part alike.
    both = [set(reproducibility.without(latents, divided, i)) for i in (0, 1)]
    assert both[0] & both[1] == set(reproducibility.without(latents, divided, 0)) - {
        f"{part.recording}.1" for part in divided[1]
    }


@pytest.mark.parametrize("rate", [15, 25, 60])
def test_parts_of_a_recording_have_parts_of_its_clock(rate):
    times = np.arange(4 * rate) / rate
    whole = clock.clock_to(times, 30.0, has_frame=np.ones(len(times), bool))
    values = np.arange(len(whole.row))[:, None] * np.ones(2)
    series = {"a": LatentSeries(values, whole.row >= 0, clock=whole)}
    chosen = reproducibility.without(series, reproducibility.parts(series), 0)
    assert len(chosen) == 2
    for part in chosen.values():
        assert_array_equal(part.clock.row >= 0, part.observed)
        assert_array_equal(part.clock.time_s, whole.time_s[part.values[:, 0].astype(int)])
