"""Run the step named like the rule, on the rule's named files and parameters."""

import inspect
import logging
import sys
from pathlib import Path

from syllabary import steps
from syllabary.machine import keep_freed

job = snakemake  # noqa: F821  (Snakemake puts this name here)

logging.basicConfig(
    filename=job.log[0],
    filemode="w",
    level=(job.config.get("machine") or {}).get("log_level", "info").upper(),
    format="%(asctime)s %(levelname)s %(name)s: %(message)s",
)
log = logging.getLogger(job.rule)
steps.follow(Path(".snakemake"))


def paths(value):
    """A named input or output as a path, or as a list of paths."""
    return Path(value) if isinstance(value, str) else [Path(item) for item in value]


step = getattr(steps, job.rule)
files = {name: paths(value) for part in (job.input, job.output) for name, value in part.items()}
accepted = inspect.signature(step).parameters
# Settings of the machine are not parameters of the rule: they change no more than last digits.
machine = job.config.get("machine") or {}
arguments = {k: v for k, v in {**machine, **job.params, **files}.items() if k in accepted}
keep_freed()
try:
    step(**arguments)
except steps.SyllabaryError as error:
    log.error("%s: %s", type(error).__name__, error)
    sys.exit(1)
except KeyboardInterrupt:
    log.error("stopped")
    sys.exit(130)
except Exception:
    # With its traceback, for what is no mistake of the user's.
    log.exception("%s failed", job.rule)
    sys.exit(1)
log.info("done")
