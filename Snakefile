# Raw depth video to behavioral syllables: rules are included in the order in which data flow.
import sys

from snakemake.utils import min_version
from syllabary import steps

min_version("9.0")
try:
    steps.require_harmless()  # before Snakemake evaluates what a config may hold
except steps.SyllabaryError as error:
    sys.exit(f"{type(error).__name__}: {error}")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/lock.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/extract.smk"
include: "workflow/rules/check.smk"
include: "workflow/rules/reduce.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/segment.smk"
include: "workflow/rules/label.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/summarize.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/suggest.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/draw.smk"


rule all:
    input:
        targets(),
