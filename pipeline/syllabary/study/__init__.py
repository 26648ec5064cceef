"""A study: its settings, its recordings, and the checks before any work starts.

In reading order: ``config`` (the settings, the models to fit, and the candidates of ``select``),
``covariates`` (columns of the table that only its user knows), ``recordings`` (the table of
recordings; decides which animals are held out), ``checks`` (one sentence for each mistake),
``template`` (every setting written out). The names of result files are in the rules of the workflow.
"""

from .checks import (
    check_choices,
    require_design,
    require_held_out,
    require_labels,
    require_overrides,
    require_paths,
    require_sources,
    require_tables,
)
from .config import Candidate, Config, candidates, extract_settings, fits, read_config, read_file
from .recordings import SIMULATED, read_recordings, rows
from .template import reference, schema, table_of_recordings, template

__all__ = [
    "SIMULATED",
    "Candidate",
    "Config",
    "candidates",
    "check_choices",
    "extract_settings",
    "fits",
    "read_config",
    "read_file",
    "read_recordings",
    "reference",
    "require_design",
    "require_held_out",
    "require_labels",
    "require_overrides",
    "require_paths",
    "require_sources",
    "require_tables",
    "rows",
    "schema",
    "table_of_recordings",
    "template",
]
