"""Is our AR-HMM as good as that of another library on the same data?

Both get the same latents, split and scores. Ours is variational, with K = 50 at most, kappa from the
target duration and four restarts. The peer is dynamax's LinearAutoregressiveHMM, fitted by EM, the
best of four k-means starts by training likelihood. Scores are the log likelihood per held-out frame
one step ahead, with point parameters (posterior means, maximum likelihood), and the AMI of the most
probable paths. The data are a latent AR-HMM with 12 known states, and principal components of
simulated mice, of which whole animals are held out.

    python benchmarks/arhmm_peers.py --seeds 1 2 3

The extra ``peers`` must be installed. Rows are added to benchmarks/results.csv.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from recovery import latents as recovery
from recovery import studies
from results import add
from sklearn.metrics import adjusted_mutual_info_score

from syllabary.priors import arhmm
from syllabary.provenance import generator
from syllabary.reduction.latents import LatentSeries
from syllabary.simulate import latent
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training import durations, em

LAGS = 3
FPS = 30.28


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--states", type=int, nargs="+", default=[12, 17, 30], help="K of the peer")
    parser.add_argument("--iterations", type=int, default=60, help="EM iterations of the peer")
    arguments = parser.parse_args()
    try:
        import dynamax  # noqa: F401
    except ImportError:
        sys.exit("arhmm_peers: dynamax is missing; install the extra: pip install -e '.[peers]'")
    for seed in arguments.seeds:
        for case, data in (("12 known states", autoregression(seed)), ("simulated mice", mice(seed))):
            compare(f"{case}, seed {seed}", *data, arguments.states, arguments.iterations)


def autoregression(seed: int) -> tuple[list[np.ndarray], list[np.ndarray], list[int], float]:
    """Return six whitened sequences of one AR-HMM; the last two are held out."""
    rng = generator(seed, "arhmm_peers")
    drawn = latent.arhmm(rng, states=12, dims=10, lags=LAGS, frames=6 * 2000, duration_frames=12)
    whole = (drawn.x - drawn.x.mean(0)) / drawn.x.std(0)
    latents, states = np.split(whole, 6), np.split(drawn.z, 6)
    target_s = durations.median(durations.of_path(drawn.z)) / FPS
    return latents, states, [4, 5], target_s


def mice(seed: int) -> tuple[list[np.ndarray], list[np.ndarray], list[int], float]:
    """Return principal components of eight animals; the last two are held out."""
    with tempfile.TemporaryDirectory() as scratch:
        study = studies.simulate("aligned", seed, 8, 1.0, Path(scratch))
        _, (series, target_s, _) = recovery.of_pca(study, seed)
        truths = [study.truth(name) for name in study.recordings]
    latents, states = [], []
    for latent_series, truth in zip(series.values(), truths, strict=True):
        values = latent_series.values.copy()
        for column in values.T:
            gap = np.isnan(column)
            column[gap] = np.interp(np.flatnonzero(gap), np.flatnonzero(~gap), column[~gap])
        latents.append(values)
        states.append(truth["syllable"].to_numpy(np.int64))
    return latents, states, [6, 7], target_s


def compare(
    case: str,
    latents: list[np.ndarray],
    states: list[np.ndarray],
    held_out: list[int],
    target_s: float,
    peer_states: list[int],
    iterations: int,
) -> None:
    kept = [i for i in range(len(latents)) if i not in held_out]
    report(case, "syllabary", *ours(latents, kept, held_out, target_s), states, held_out)
    for count in peer_states:
        result = peer(latents, kept, held_out, count, iterations)
        report(case, f"dynamax, K = {count}", *result, states, held_out)


def ours(latents: list[np.ndarray], kept: list[int], held_out: list[int], target_s: float) -> tuple:
    start = time.process_time()
    series = {str(i): LatentSeries(latents[i], np.ones(len(latents[i]), bool)) for i in kept}
    fitted = em.fit(series, ModelSettings(), target_duration_s=target_s, fps=FPS, seed=0)
    spent = time.process_time() - start
    evidence = [
        arhmm.PointEvidence(torch.from_numpy(x), torch.ones(len(x), dtype=torch.bool)) for x in latents
    ]
    predicted = [arhmm.filter(fitted.parameters, evidence[i]) for i in held_out]
    total = sum(float(p.log_density[p.usable].sum()) for p in predicted)
    frames = sum(int(p.usable.sum()) for p in predicted)
    paths = [arhmm.infer(fitted.parameters, e, paths=True).path.numpy() for e in evidence]
    return total / frames, paths, spent


def peer(
    latents: list[np.ndarray],
    kept: list[int],
    held_out: list[int],
    states: int,
    iterations: int,
    starts: int = 4,
) -> tuple:
    import jax
    import jax.numpy as jnp
    from dynamax.hidden_markov_model import LinearAutoregressiveHMM

    jax.config.update("jax_enable_x64", True)
    start = time.process_time()
    model = LinearAutoregressiveHMM(states, latents[0].shape[1], num_lags=LAGS)
    shortest = min(len(latents[i]) for i in kept)
    together = jnp.asarray(np.concatenate([latents[i] for i in kept]))
    # A frame is predicted from its predecessors only, as in ours, so that the first are left out.
    frames = jnp.stack([jnp.asarray(latents[i][:shortest]) for i in kept])
    inputs = jax.vmap(model.compute_inputs)(frames)
    best, parameters = -np.inf, None
    for key in range(starts):
        first, properties = model.initialize(
            key=jax.random.PRNGKey(key), method="kmeans", emissions=together
        )
        fitted, trace = model.fit_em(
            first, properties, frames[:, LAGS:], inputs[:, LAGS:], num_iters=iterations, verbose=False
        )
        if parameters is None or float(trace[-1]) > best:
            best, parameters = float(trace[-1]), fitted
    spent = time.process_time() - start
    total, count, paths = 0.0, 0, []
    for i, values in enumerate(latents):
        frame = jnp.asarray(values)
        frame_inputs = model.compute_inputs(frame)[LAGS:]
        if i in held_out:
            total += float(model.marginal_log_prob(parameters, frame[LAGS:], frame_inputs))
            count += len(values) - LAGS
        path = np.asarray(model.most_likely_states(parameters, frame[LAGS:], frame_inputs))
        paths.append(np.concatenate([path[:1].repeat(LAGS), path]))
    return total / count, paths, spent


def report(
    case: str,
    method: str,
    log_likelihood: float,
    paths: list[np.ndarray],
    spent_s: float,
    states: list[np.ndarray],
    held_out: list[int],
) -> None:
    labels, true = np.concatenate(paths), np.concatenate(states)
    ami = adjusted_mutual_info_score(true, labels)
    ahead = adjusted_mutual_info_score(
        np.concatenate([states[i] for i in held_out]), np.concatenate([paths[i] for i in held_out])
    )
    used = int((np.bincount(labels) > 0.005 * len(labels)).sum())
    print(
        f"{case}: {method}: {log_likelihood:.4f} nats per held-out frame, AMI {ami:.3f} "
        f"(held out {ahead:.3f}), {used} states, {spent_s:.0f} CPU s",
        flush=True,
    )
    measures = {
        "held-out log likelihood": (log_likelihood, "nats/frame"),
        "AMI": (ami, ""),
        "AMI held out": (ahead, ""),
        "states above 0.5 %": (used, ""),
        "fit": (spent_s, "CPU s"),
    }
    for measure, (value, unit) in measures.items():
        add("arhmm_peers", case, measure, value, unit, method)


if __name__ == "__main__":
    main()
