"""One function per rule of the workflow: paths in, paths out.

A step reads its settings, calls the rooms that do the work, and records what made each
file. In the order in which data flow: ``recordings`` (simulate, extract, check), ``heading``
(train_heading), ``models`` (reduce, fit, segment, evaluate), ``results`` (summarize, score, suggest,
export, draw), ``choice`` (select);
``comparison`` (compare_results); ``study`` is what the workflow and the command line ask before and
beside them.

Rooms are imported inside the steps that need them, so that ``code_of`` can tell which code
a step depends on, and so that importing this package is quick.
"""

from ..errors import SyllabaryError
from ..provenance import code_of
from .choice import select
from .comparison import compare_results
from .heading import train_heading
from .models import evaluate, fit, reduce, segment
from .recordings import check, extract, simulate
from .results import draw, export, score, suggest, summarize
from .study import (
    compare,
    convert,
    extract_settings,
    fits,
    new_study,
    open_study,
    parameters,
    source_files,
)

__all__ = [
    "SyllabaryError",
    "check",
    "code_of",
    "compare",
    "compare_results",
    "convert",
    "draw",
    "evaluate",
    "export",
    "extract",
    "extract_settings",
    "fit",
    "fits",
    "new_study",
    "open_study",
    "parameters",
    "reduce",
    "score",
    "segment",
    "select",
    "simulate",
    "source_files",
    "suggest",
    "summarize",
    "train_heading",
]
