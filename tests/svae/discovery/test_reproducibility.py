"""How many states independent fits agree on."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from syllabary.reduction.latents import LatentSeries
from syllabary.svae.discovery import reproducibility

N = 20_000


def net(first, second):
    """From entropies of counted labels, and the mutual information of scikit-learn."""
    shared = mutual_info_score(first, second)
    alone = [entropy(np.unique(labels, return_counts=True)[1]) - shared for labels in (first, second)]
    return shared - sum(alone)


@pytest.mark.parametrize("kind", [np.int16, np.int64])
def test_net_information_is_shared_less_what_each_has_alone(rng, kind):
    # Many states: their pairs overflow 16 bits.
    first = rng.integers(300, size=N)
    second = np.where(rng.random(N) < 0.7, first // 2, rng.integers(200, size=N))
    result = reproducibility.net_information(first.astype(kind), second.astype(kind))
    assert result == pytest.approx(net(first, second), abs=1e-9)
    swapped = reproducibility.net_information(second.astype(kind), first.astype(kind))
    assert swapped == pytest.approx(result, abs=1e-9)


def test_net_information_of_labels_alike_unlike_and_finer(rng):
    labels, noise = rng.integers(4, size=N), rng.integers(2, size=N)
    other = 3 - labels
    whole = entropy(np.bincount(labels))
    assert reproducibility.net_information(labels, labels) == pytest.approx(whole)
    assert reproducibility.net_information(labels, other) == pytest.approx(whole)
    assert reproducibility.net_information(labels, rng.integers(4, size=N)) < -2
    # States that noise divides add what the other does not share: one bit.
    finer = reproducibility.net_information(2 * labels + noise, labels)
    assert finer == pytest.approx(whole - np.log(2), abs=0.01)
    assert reproducibility.net_information(labels, np.zeros(N, int)) == pytest.approx(-whole)
    assert reproducibility.net_information(labels[:0], labels[:0]) == 0


def test_the_best_number_is_the_last_that_both_confirm(rng):
    four = rng.integers(4, size=N)
    truth = {1: 0 * four, 2: four // 2, 4: four}
    fits = [{**truth, 8: 2 * four + rng.integers(2, size=N)} for _ in range(2)]
    # A number that one fit alone has is not compared.
    fits[0][5] = four
    number, nets = reproducibility.best_number(*fits)
    assert number == 4
    assert sorted(nets) == [1, 2, 4, 8]
    assert nets[1] == 0 and nets[2] == pytest.approx(np.log(2), abs=1e-3)
    assert nets[8] == pytest.approx(net(fits[0][8], fits[1][8]))


def test_fits_that_agree_on_nothing_have_one_state(rng):
    fits = [{k: rng.integers(k, size=N) for k in (2, 3)} for _ in range(2)]
    number, nets = reproducibility.best_number(*fits)
    assert number == 1 and nets[1] == 0 and max(nets[2], nets[3]) < 0


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


@pytest.mark.parametrize("lengths", [(50, 31), (9, 8, 7, 6)])
def test_without_a_part_the_others_are_left_as_they_were(rng, lengths):
    latents = recordings(rng, lengths, shifts=None)
    divided = reproducibility.parts(latents)
    for left_out in range(3):
        rest = reproducibility.without(latents, divided, left_out)
        others = [part for i, group in enumerate(divided) if i != left_out for part in group]
        assert len(rest) == len(others)
        left = sorted(rest.items())
        for part in others:
            (found,) = (
                series
                for name, series in left
                if name.startswith(part.recording)
                and np.array_equal(series.values, latents[part.recording].values[part.start : part.stop])
            )
            whole = latents[part.recording]
            assert_array_equal(found.observed, whole.observed[part.start : part.stop])
            assert_array_equal(found.information, whole.information[part.start : part.stop])
            assert found.shifts is None and found.motion == 1
            assert_array_equal(found.subject_offset, np.ones(2))
    # The fits are compared on what each has not seen, and learn from the third part alike.
    both = [set(reproducibility.without(latents, divided, i)) for i in (0, 1)]
    assert both[0] & both[1] == set(reproducibility.without(latents, divided, 0)) - {
        f"{part.recording}.1" for part in divided[1]
    }
