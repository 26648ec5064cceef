# One run at a time in a folder; a run that was killed is forgotten, so that the same command goes on.
import sys
from pathlib import Path

from syllabary import steps

# What only looks may look while another run is at work.
LOOKS = {
    *("--unlock", "--lint", "--list-rules", "-l", "--help"),
    *("--summary", "-D", "--detailed-summary", "--dag", "--rulegraph", "--filegraph"),
    *("--report", "--list-changes", "--print-compilation", "--list-target-rules"),
}

if (
    workflow.is_main_process
    and not workflow.output_settings.dryrun
    and not LOOKS & {argument.partition("=")[0] for argument in sys.argv}
):
    try:
        steps.claim(Path(".snakemake"))
    except steps.SyllabaryError as error:
        sys.exit(f"{type(error).__name__}: {error}")

# The console of `syllabary run`, if it is switched on.
if "snakemake_logger_plugin_syllabary" in sys.modules:
    sys.modules["snakemake_logger_plugin_syllabary"].follow(workflow)
