"""Is the implicit gradient that of the converged bound, and how large are errors of cheaper ones?

A study is simulated as crops. PCA gives latents and their precisions, and an SLDS prior is trained
on them. On windows of the recordings, the bound with the linear decoder of the PCA is a function
of an encoder. The encoder corrects the mean and the log precision of a frame's potential linearly
in its features. The gradient through the optimum of the mean field is compared with central
differences of the converged bound, then with the results of other solvers and fewer iterations.

    python benchmarks/gradients.py --seed 201

Rows are added to benchmarks/results.csv.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from recovery import latents, studies
from results import add

from syllabary.expfam import dirichlet, mniw, niw
from syllabary.priors import arhmm, slds
from syllabary.priors.types import Cotangent, GaussianEvidence, Local, PointEvidence, total
from syllabary.reduction.pca import Pca
from syllabary.svae.networks.base import capped

FRAMES = 128
FEATURES = 8
MAX_INFORMATION = 1e4
CONVERGED = {"max_iterations": 400, "tolerance": -np.inf}
SOLVERS = {
    "CG 1e-1": {"tolerance": 1e-1, "iterations": 40},
    "CG 1e-2": {"tolerance": 1e-2, "iterations": 40},
    "CG 1e-2, at most 8": {"tolerance": 1e-2, "iterations": 8},
    "CG 1e-3": {"tolerance": 1e-3, "iterations": 40},
    "CG 1e-4": {"tolerance": 1e-4, "iterations": 40},
    "frozen": {"iterations": 0},
    "one Neumann term": {"iterations": 1, "damping": 1.0, "tolerance": 0.0},
    "damped 0.5, 5 steps": {"iterations": 5, "damping": 0.5, "tolerance": 0.0},
    "damped 0.5, 10 steps": {"iterations": 10, "damping": 0.5, "tolerance": 0.0},
    "damped 0.5, 20 steps": {"iterations": 20, "damping": 0.5, "tolerance": 0.0},
}
EXACT = {"tolerance": 1e-12, "iterations": 400}


class Windows(NamedTuple):
    """Arrays of the bound of windows; all float64, (B, T, ...)."""

    mean: torch.Tensor
    information: torch.Tensor
    features: torch.Tensor
    gram: torch.Tensor
    """(B, T, D, D): negative second derivative of the log likelihood of pixels."""
    pull: torch.Tensor
    """(B, T, D): its first derivative at ``mean``."""
    states: torch.Tensor
    """(B, T, K) of the pass over whole recordings."""


def train(series: list[torch.Tensor], evidence: list[GaussianEvidence], states: int, seed: int):
    """Return settings, parameters and the states of whole recordings of a trained SLDS."""
    settings = arhmm.Settings(states=states, lags=1)
    points = [PointEvidence(x, torch.isfinite(x).all(-1)) for x in series]
    ar_hmm = arhmm.initial(settings, series, None, np.random.default_rng(seed))
    for _ in range(20):
        points_locals = [arhmm.infer(ar_hmm, item) for item in points]
        ar_hmm = arhmm.update_hyperparameters(
            arhmm.update(ar_hmm, total([f.statistics for f in points_locals]), settings)
        )
    parameters = slds.from_autoregression(ar_hmm)
    ours = slds.Settings(states=states)
    starts = [f.states for f in points_locals]
    for _ in range(15):
        local = [
            slds.infer(parameters, item, start=start, max_iterations=3, tolerance=-np.inf)
            for item, start in zip(evidence, starts, strict=True)
        ]
        starts = [item.states for item in local]
        parameters = slds.update_hyperparameters(
            slds.update(parameters, total([item.statistics for item in local]), ours)
        )
    final = [
        slds.infer(parameters, item, start=start, max_iterations=20)
        for item, start in zip(evidence, starts, strict=True)
    ]
    return parameters, [item.states for item in final]


def cut(
    study: studies.Study,
    reduction: Pca,
    evidence: list[GaussianEvidence],
    information: list[torch.Tensor],
    states: list[torch.Tensor],
    count: int,
    rng: np.random.Generator,
) -> Windows:
    """Return windows of the recordings, spread evenly."""
    used = reduction.used
    images = reduction.scale[:, None] * reduction.components[:, used]
    variance = reduction.pixel_variance_mm2[used]
    projection = rng.standard_normal((images.shape[0], FEATURES - 1)) / np.sqrt(images.shape[0])
    parts = []
    for i in range(count):
        where = i % len(study.recordings)
        free_frames = len(evidence[where].mean) - FRAMES
        begin = int(
            free_frames * (i // len(study.recordings) + 0.5) / -(-count // len(study.recordings))
        )
        rows = slice(begin, begin + FRAMES)
        with study.crops(study.recordings[where]) as recording:
            blocks = list(recording.blocks(len(recording)))
            heights = np.concatenate([h for _, h, _ in blocks])[rows][:, used]
            observed = np.concatenate([o for _, _, o in blocks])[rows][:, used]
            heights = heights * recording.height_step_mm
        window_evidence, window_information = evidence[where], information[where][rows]
        mean = torch.where(window_evidence.precision[rows] > 0, window_evidence.mean[rows], 0.0)
        trust = observed / variance * (window_information > 0).any(-1).numpy()[:, None]
        left = np.where(observed, heights - reduction.mean[used] - mean.numpy() @ images, 0.0)
        gram = np.einsum("tp,dp,ep->tde", trust, images, images, optimize=True)
        pull = (trust * left) @ images.T
        hidden = np.tanh(mean.numpy() @ projection)
        features = np.concatenate([hidden, np.ones((FRAMES, 1))], 1)
        parts.append(
            (
                mean,
                window_information,
                *map(torch.from_numpy, (features, gram, pull)),
                states[where][rows],
            )
        )
    return Windows(*(torch.stack(list(part)).double() for part in zip(*parts, strict=True)))


class Problem:
    """Bound of windows as a function of the encoder's weights (2, F, D)."""

    def __init__(self, windows: Windows, parameters: slds.Parameters):
        self.windows, self.parameters = windows, parameters

    def evidence(self, theta: torch.Tensor) -> GaussianEvidence:
        windows = self.windows
        mean = windows.mean + torch.where(windows.information > 0, windows.features @ theta[0], 0.0)
        return GaussianEvidence(
            mean, capped(windows.information, windows.features @ theta[1], MAX_INFORMATION)
        )

    def infer(self, theta: torch.Tensor, parameters: slds.Parameters | None = None, **options) -> Local:
        return slds.infer(parameters or self.parameters, self.evidence(theta), **options)

    def likelihood(self, local: Local) -> torch.Tensor:
        """Return the mean log likelihood of pixels without terms constant in the latents, (B) nats."""
        windows = self.windows
        apart = local.means - windows.mean
        moment = local.covariances + apart[..., :, None] * apart[..., None, :]
        return (windows.pull * apart).sum((1, 2)) - 0.5 * (windows.gram * moment).sum((1, 2, 3))

    def bound(self, local: Local) -> torch.Tensor:
        return self.likelihood(local) - local.divergence

    def beside(self, local: Local, theta: torch.Tensor) -> torch.Tensor:
        """Return the part that the optimum does not maximize: likelihood minus mean potential, (B)."""
        mean, precision, _ = self.evidence(theta)
        apart = local.means - mean
        spread = local.covariances.diagonal(dim1=-2, dim2=-1)
        return self.likelihood(local) + 0.5 * (precision * (apart**2 + spread)).sum((1, 2))

    def cotangent(self, local: Local, theta: torch.Tensor) -> Cotangent:
        windows, (mean, precision, _) = self.windows, self.evidence(theta)
        gram = (windows.gram @ (local.means - windows.mean)[..., None])[..., 0]
        return Cotangent(
            windows.pull - gram - precision * (mean - local.means),
            0.5 * (torch.diag_embed(precision) - windows.gram),
        )

    def gradient(self, local: Local, theta: torch.Tensor, **solver):
        """Return the gradient of each window (B, 2, F, D), and the solution of the solver."""
        sent = slds.tangent(self.parameters, local, self.cotangent(local, theta), **solver)
        theta = theta.clone().requires_grad_()
        mean, precision, _ = self.evidence(theta)
        rows = sent.evidence.mean * mean + sent.evidence.precision * precision
        gradients = [torch.autograd.grad(row.sum(), theta, retain_graph=True)[0] for row in rows]
        return torch.stack(gradients), sent


def size(values: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(values))


def put(case: str, measure: str, value: float, unit: str = "") -> None:
    print(f"{case:34s} {measure:60s} {value:.4g} {unit}", flush=True)
    add("gradients", case, measure, value, unit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=201)
    parser.add_argument("--animals", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--states", type=int, default=50)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument(
        "--state", type=Path, help="file of the trained state; it is written, or read if it exists"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.state is not None and arguments.state.exists():
        windows, parameters = torch.load(arguments.state, weights_only=False)
    else:
        windows, parameters = prepare(arguments)
        if arguments.state is not None:
            torch.save((windows, parameters), arguments.state)
    rng = np.random.default_rng(arguments.seed)
    shape = (2, FEATURES, windows.mean.shape[-1])
    problem = Problem(windows, parameters)
    usage = windows.states.sum((0, 1)) / windows.states.sum()
    title = f"K={arguments.states}, seed {arguments.seed}"
    put(title, "states above 0.5 % of the windows' frames", float((usage > 0.005).sum()))
    for name, scale, weaker in (
        ("at the PCA", 0.0, 0.0),
        ("encoder 0.1 off", 0.1, 0.0),
        ("and 50 times less sure", 0.1, np.log(50)),
    ):
        theta = torch.from_numpy(scale * rng.standard_normal(shape))
        # The last feature is the constant.
        theta[1, -1] -= weaker
        examine(problem, theta, f"{title}, {name}", rng)


def prepare(arguments) -> tuple[Windows, slds.Parameters]:
    with tempfile.TemporaryDirectory() as scratch:
        sizes = arguments.seed, arguments.animals, arguments.minutes
        study = studies.simulate("aligned", *sizes, Path(scratch), held_out=0)
        reduction, (series, _, _) = latents.of_pca(study, arguments.seed)
        values = [torch.from_numpy(s.values) for s in series.values()]
        information = [torch.from_numpy(s.information) for s in series.values()]
        evidence = [
            GaussianEvidence(x, capped(precision, torch.zeros(()), MAX_INFORMATION))
            for x, precision in zip(values, information, strict=True)
        ]
        start = time.process_time()
        parameters, states = train(values, evidence, arguments.states, arguments.seed)
        print(f"trained in {time.process_time() - start:.0f} s", flush=True)
        rng = np.random.default_rng(arguments.seed)
        windows = cut(study, reduction, evidence, information, states, arguments.windows, rng)
    return windows, parameters


def examine(problem: Problem, theta: torch.Tensor, case: str, rng: np.random.Generator) -> None:
    windows = problem.windows
    start = time.process_time()
    converged = problem.infer(theta, start=windows.states, **CONVERGED)
    residual = converged.residual
    print(f"settled in {time.process_time() - start:.0f} s; residuals {residual.tolist()}", flush=True)
    exact, sent = problem.gradient(converged, theta, **EXACT)
    print("CG", sent.iterations.tolist(), sent.residual.tolist(), sent.indefinite.tolist(), flush=True)
    put(case, "settled windows (residual <= 1e-8)", float((residual <= 1e-8).sum()))
    put(case, "windows at a saddle", float(sent.indefinite.sum()))
    good = (residual <= 1e-8) & ~sent.indefinite
    differences(problem, theta, converged, exact, good, case, rng)
    by_parameters(problem, theta, converged, good, case, rng)
    exact = exact[good].sum(0)

    def row(local: Local, title: str, **solver) -> None:
        window_gradients, solution = problem.gradient(local, theta, **solver)
        error = size(window_gradients[good].sum(0) - exact) / size(exact)
        used = solution.iterations.double()
        put(case, f"{title}: relative error of the gradient", error)
        put(case, f"{title}: steps, mean", float(used.mean()))
        put(case, f"{title}: steps, most", float(used.max()))
        put(case, f"{title}: windows cut short", float(solution.indefinite.sum()))

    three = problem.infer(theta, start=windows.states, max_iterations=3, tolerance=-np.inf)
    for name, local in (("settled", converged), ("3 turns", three)):
        for solver, options in SOLVERS.items():
            row(local, f"{name}, {solver}", **options)
    for iterations in (1, 2, 3, 5, 10, 30, 100, 300):
        local = problem.infer(theta, start=windows.states, max_iterations=iterations, tolerance=-np.inf)
        if iterations != 3:
            row(local, f"{iterations} turns, CG 1e-4", **SOLVERS["CG 1e-4"])
        put(case, f"{iterations} turns: residual, most", float(local.residual.max()))
    cold = problem.infer(theta, max_iterations=8, tolerance=-np.inf)
    row(cold, "8 turns from cold, CG 1e-2", **SOLVERS["CG 1e-2"])


def differences(problem, theta, converged, exact, good, case, rng, step: float = 1e-4) -> None:
    """Compare directional derivatives of each window and of the sum."""
    directions = [torch.from_numpy(rng.standard_normal(theta.shape)) for _ in range(5)]
    for entry in ((0, 0, 0), (0, 3, 1), (1, 7, 0), (1, 2, 4)):
        directions.append(torch.zeros_like(theta))
        directions[-1][entry] = 1.0
    worst_sum, worst_window = 0.0, 0.0
    for i, direction in enumerate(directions):
        ends = [
            problem.infer(
                theta + sign * step * direction,
                start=converged.states,
                max_iterations=200,
                tolerance=-np.inf,
            )
            for sign in (1, -1)
        ]
        slopes = (problem.bound(ends[0]) - problem.bound(ends[1])) / (2 * step)
        predicted = (exact * direction).sum((1, 2, 3))
        # Relative to the length of the gradient, because a slope may be near 0 by chance.
        scale = (
            exact.flatten(1).norm(dim=1) * size(direction) / np.sqrt(direction.numel())
            if i < 5
            else 0 * predicted
        )
        windows = ((slopes - predicted).abs() / torch.maximum(scale, predicted.abs()))[good]
        whole = abs(float((slopes - predicted)[good].sum())) / abs(float(predicted[good].sum()))
        print(
            f"  way {i}: slope {float(slopes[good].sum()):.6g} mine {float(predicted[good].sum()):.6g} "
            f"relative {whole:.2g}, windows {windows.max():.2g}",
            flush=True,
        )
        worst_sum, worst_window = max(worst_sum, whole), max(worst_window, float(windows.max()))
    put(case, "encoder gradient against differences, sum, worst of 9", worst_sum)
    put(case, "encoder gradient against differences, one window, worst", worst_window)


def by_parameters(problem, theta, converged, good, case, rng, step: float = 1e-4) -> None:
    """Compare derivatives by the global parameters, in directions of one block each."""
    sent = slds.tangent(problem.parameters, converged, problem.cotangent(converged, theta), **EXACT)
    if not bool(good.all()):
        print("  windows at saddles: no comparison by global parameters", flush=True)
        return
    for name in ("dynamics", "start"):
        family = mniw if name == "dynamics" else niw
        for block in range(4):
            natural = getattr(problem.parameters, name)
            direction = _direction(
                natural[block], rng, square=block in (0, 2) and natural[block].ndim > 1
            )
            ends = [
                natural._replace(**{natural._fields[block]: natural[block] + sign * step * direction})
                for sign in (1, -1)
            ]
            title = f"{name}.{natural._fields[block]}"
            _compare(problem, theta, converged, sent, name, family, ends, title, case, step)
    for name in ("transition", "initial"):
        natural = getattr(problem.parameters, name)
        direction = natural.concentration * torch.from_numpy(
            rng.standard_normal(natural.concentration.shape)
        )
        ends = [dirichlet.Natural(natural.concentration + sign * step * direction) for sign in (1, -1)]
        _compare(problem, theta, converged, sent, name, dirichlet, ends, name, case, step)


def _direction(value: torch.Tensor, rng: np.random.Generator, *, square: bool) -> torch.Tensor:
    """Return a direction of the size of the parameter that keeps a positive matrix positive."""
    if not square:
        return value.abs() * torch.from_numpy(rng.standard_normal(tuple(value.shape))) * 0.1
    noise = torch.from_numpy(rng.standard_normal(tuple(value.shape)))
    factor = torch.linalg.cholesky(value)
    return 0.1 * factor @ (noise + noise.mT) @ factor.mT


def _compare(problem, theta, converged, sent, name, family, ends, title, case, step) -> None:
    values, stats = [], []
    for end in ends:
        moved = problem.parameters._replace(**{name: end})
        local = problem.infer(
            theta, moved, start=converged.states, max_iterations=200, tolerance=-np.inf
        )
        values.append(problem.beside(local, theta))
        stats.append(family.expected_stats(end))
    slope = float((values[0] - values[1]).sum()) / (2 * step)
    parts = [
        ((above - below) / (2 * step) * change)
        for above, below, change in zip(*stats, getattr(sent.statistics, name), strict=True)
    ]
    predicted = sum(float(part.sum()) for part in parts)
    size_of = np.sqrt(sum(float(part.square().sum()) for part in parts))
    error = abs(slope - predicted) / max(abs(predicted), size_of)
    print(f"  {title}: slope {slope:.6g} mine {predicted:.6g}", flush=True)
    put(case, f"gradient by {title} against differences", error)


if __name__ == "__main__":
    main()
