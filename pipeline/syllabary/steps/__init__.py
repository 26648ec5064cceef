"""Steps: one file and one function for each rule of the workflow, paths in and paths out.

A step reads its settings, calls the modules that do the work, and records the provenance of each
file it writes. In the order of the data: ``simulate``, ``train_heading``, ``extract``, ``check``,
``reduce``, ``fit``, ``segment``, ``label``, ``evaluate``, ``summarize``, ``score``, ``suggest``,
``select``, ``export``, ``draw``. The command line alone calls ``new_study``, ``convert``,
``compare``, ``score_people``, ``compare_results`` and ``doctor``. ``study`` answers what the workflow
asks before it runs a step.

Steps import modules inside their functions. ``code_of`` then finds the code that a step depends
on, and importing this package is quick.
"""

from ..errors import SyllabaryError
from ..provenance import code_of
from ..running import claim, follow
from ._shared import TABLES
from .check import check
from .compare import compare
from .compare_results import compare_results
from .convert import convert
from .doctor import doctor
from .draw import draw
from .evaluate import evaluate
from .export import export
from .extract import extract
from .fit import fit
from .label import label
from .new_study import new_study
from .reduce import reduce
from .score import score
from .score_people import score_people
from .segment import segment
from .select import select
from .simulate import simulate
from .study import (
    extract_settings,
    fits,
    gpus,
    open_study,
    parameters,
    recording_rows,
    require_harmless,
    require_study,
    source_files,
)
from .suggest import suggest
from .summarize import summarize
from .train_heading import train_heading

__all__ = [
    "TABLES",
    "SyllabaryError",
    "check",
    "claim",
    "code_of",
    "compare",
    "compare_results",
    "convert",
    "doctor",
    "draw",
    "evaluate",
    "export",
    "extract",
    "extract_settings",
    "fit",
    "fits",
    "follow",
    "gpus",
    "label",
    "new_study",
    "open_study",
    "parameters",
    "recording_rows",
    "reduce",
    "require_harmless",
    "require_study",
    "score",
    "score_people",
    "segment",
    "select",
    "simulate",
    "source_files",
    "suggest",
    "summarize",
    "train_heading",
]
