"""Step ``segment``: crops and a model to the posterior of a recording."""

import logging
from pathlib import Path

from ._shared import made_by

__all__ = ["segment"]

log = logging.getLogger(__name__)


def segment(*, crops: Path, model: Path, posterior: Path, device: str = "auto") -> None:
    """Infer states and latents of every tick of a recording.

    Parameters
    ----------
    crops
        ``crops.h5`` of the recording.
    model
        ``model.safetensors``.
    posterior
        File to write: ``.h5`` with the posterior of states and latents.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; by default ``machine.device`` of the config.
    """
    from .. import devices
    from ..records.crops import Crops
    from ..records.posterior import Posterior
    from ..svae import segmentation
    from ..svae.model import Model

    place = devices.use(device)
    provenance = made_by("segment", {}, [crops, model], device=devices.describe(place))
    fitted = Model.load(model).to(place)
    with Crops(crops) as recording:
        latents = fitted.latents(recording)
        result = segmentation.segment(fitted, latents, recording)
        if not latents.observed.any():
            log.warning("no mouse was found in %s, so no tick is labeled", recording.recording)
            result = result._replace(states=result.states * 0)
        Posterior(
            result.mean,
            result.sd,
            result.states,
            result.surprise_nats,
            recording.frame,
            recording.time_s,
        ).save(posterior, provenance)
