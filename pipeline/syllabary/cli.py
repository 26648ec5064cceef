"""The command line: ``syllabary STEP ...`` runs one step by hand.

A command is made from each function of ``steps``: a path becomes an option, and its section
of the config is read from ``--config``. ``syllabary run`` runs the whole workflow in a study
folder, ``syllabary new`` makes one, ``syllabary convert`` rewrites a raw recording in another
format, ``syllabary score`` compares labels with the truth.
"""

import inspect
import os
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from . import __version__, steps
from .errors import BadInput
from .machine import keep_freed

__all__ = ["app", "main"]

VERBS = (
    *("simulate", "train_heading", "extract", "check", "reduce", "fit", "segment", "label"),
    *("evaluate", "summarize", "suggest", "select", "export", "draw"),
)
# Type of a step's parameter: the type of its option, and the word for it in the help.
OPTION_TYPES: Mapping[Any, tuple[Any, str]] = {
    str: (str, "NAME"),
    Path: (Path, "PATH"),
    Path | str: (Path, "PATH"),
    Path | None: (Path, "PATH"),
    Sequence[Path]: (list[Path], "PATH"),
    Sequence[str]: (list[str], "NAME"),
}
# Options of Snakemake that ask for another output than the steps of a run.
OTHER_OUTPUT = {
    *(
        "--logger",
        "--quiet",
        "-q",
        "--verbose",
        "--printshellcmds",
        "-p",
        "-np",
        "--debug-dag",
        "--lint",
    ),
    *("--unlock", "--summary", "-S", "-D", "--detailed-summary", "--dag", "--rulegraph", "--filegraph"),
    *("--report", "--list-rules", "-l", "--list-target-rules", "--help", "-h", "--version", "-v"),
}
REPEATED = " Several may follow the option."
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Depth video of freely moving mice to behavioral syllables.",
)


def main() -> None:
    """Run the command line; a mistake of the caller's becomes one sentence."""
    import logging

    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s: %(message)s")
    keep_freed()
    try:
        app()
    except steps.SyllabaryError as error:
        sys.exit(f"{type(error).__name__}: {error}")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(context: typer.Context) -> None:
    """Run the workflow in this folder; further options go to Snakemake (-n to look first)."""
    steps.require_study(context.args)
    steps.require_harmless(context.args)
    home = _workflow()
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(home / "Snakefile")),
        *("--workflow-profile", str(home / "profiles" / "default")),
        *context.args,
    ]
    if not OTHER_OUTPUT & {option.partition("=")[0] for option in context.args}:
        command += ["--logger", "syllabary"]
        path = [str(home / "workflow" / "console"), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    # Python looks for no module in the folder of the study, whoever wrote what lies there.
    os.environ["PYTHONSAFEPATH"] = "1"
    # In place of this process: who stops the one stops the other.
    os.execv(sys.executable, command)


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make; it must not exist or be empty.")],
    every_setting: Annotated[
        bool, typer.Option("--all", help="Write every setting, not only those that most labs touch.")
    ] = False,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="List the raw recordings below this folder.", metavar="FOLDER"),
    ] = None,
) -> None:
    """Make a study folder with a config and a table of recordings to fill in."""
    typer.echo(steps.new_study(folder, _workflow(), every_setting=every_setting, source=source))


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Session folder, .dat, .avi, .mkv, .tar.gz or .h5.")],
    target: Annotated[Path, typer.Argument(help="File to write: .dat, .avi or .mkv.")],
    config: Annotated[
        Path | None, typer.Option(help="Settings of a study, for its extract.source.", metavar="PATH")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    lossy: Annotated[
        bool, typer.Option("--lossy", help="Write whole mm, even if that merges levels of depth.")
    ] = False,
) -> None:
    """Write a raw recording in another format; every count stays as it is unless --lossy is given."""
    typer.echo(steps.convert(source, target, config, overwrite=overwrite, lossy=lossy))


@app.command()
def score(
    labels: Annotated[Path, typer.Argument(help="Labels of a recording (.parquet).")],
    truth: Annotated[Path, typer.Argument(help="Its true syllables (truth.parquet).")],
) -> None:
    """Compare labels with the true syllables of a recording."""
    typer.echo(steps.compare(labels, truth))


@app.command(name="score-people")
def score_people(
    people: Annotated[Path, typer.Argument(help="Bouts that people labeled, ours or by BORIS.")],
    labels: Annotated[list[Path], typer.Argument(help="Labels of a model, of recordings (.parquet).")],
    training_labels: Annotated[
        Path | None,
        typer.Option(
            help="Labels that the fit was trained on; their time does not count.", metavar="PATH"
        ),
    ] = None,
) -> None:
    """Compare labels with those of people, and people with one another."""
    typer.echo(steps.score_people(people, labels, training_labels))


@app.command()
def doctor() -> None:
    """Show what this machine has, whether message passing works on it, and what to install."""
    typer.echo(steps.doctor())


@app.command(name="compare-results")
def compare_results(
    first: Annotated[Path, typer.Argument(help="Results of a study.")],
    second: Annotated[Path, typer.Argument(help="Results of the same study, made elsewhere.")],
    rename: Annotated[
        list[str],
        typer.Option(
            help="A name of the first results and its name in the second. OLD ending with '.' or '/' is "
            "the beginning of a name. Repeat the option for each.",
            metavar="OLD=NEW",
        ),
    ] = [],  # noqa: B006
) -> None:
    """Compare two results of one study bit for bit; the exit code is 1 if they differ."""
    text, equal = steps.compare_results(first, second, rename)
    typer.echo(text)
    raise typer.Exit(0 if equal else 1)


def _workflow() -> Path:
    """Return where Snakefile, workflow and profiles lie: in the wheel, or in the checkout."""
    package = Path(__file__).parent
    shipped = package / "shipped"
    return shipped if shipped.is_dir() else package.parents[1]


class _Several(typer.core.TyperCommand):
    """A command whose lists take all that follows an option, such as the shell makes of ``*``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        lists = {
            name for option in self.params if getattr(option, "multiple", False) for name in option.opts
        }
        spread: list[str] = []
        option = ""
        for value in args:
            if value.startswith("--"):
                name, has_value, _ = value.partition("=")
                option = name if name in lists and not has_value else ""
            elif option and spread[-1] != option:
                spread.append(option)
            spread.append(value)
        return super().parse_args(ctx, spread)


def _command(step: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a step: its signature with config file in place of settings and seed."""
    helps = _helps(step)
    hints = typing.get_type_hints(step)
    parameters = inspect.signature(step).parameters
    options = []
    for name, parameter in parameters.items():
        if name in ("settings", "seed", "recordings"):
            continue
        kind, word = OPTION_TYPES[hints[name]]
        required = parameter.default is inspect.Parameter.empty
        about = helps.get(name, "") + (REPEATED if typing.get_origin(kind) is list else "")
        option = typer.Option(help=about, show_default=False, metavar=word)
        options.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if required else None,
                annotation=Annotated[kind if required else kind | None, option],
            )
        )
    if {"settings", "seed", "recordings"} & set(parameters):
        part = {"fit": "that of the model in 'models'"}.get(step.__name__, f"'{step.__name__}'")
        option = typer.Option(
            help=f"Settings of the study; this step reads the section {part}.", metavar="PATH"
        )
        options.append(
            inspect.Parameter(
                "config",
                inspect.Parameter.KEYWORD_ONLY,
                default=Path("config/config.yaml"),
                annotation=Annotated[Path, option],
            )
        )
    if step.__name__ == "fit":
        option = typer.Option(help="Name of the model in the section 'models'.", metavar="NAME")
        options.append(
            inspect.Parameter(
                "name",
                inspect.Parameter.KEYWORD_ONLY,
                default="slds",
                annotation=Annotated[str, option],
            )
        )

    def command(**arguments: Any) -> None:
        _require_apart(arguments)
        config = arguments.pop("config", None)
        section = arguments.pop("name", step.__name__)
        recording = arguments.get("recording")
        configured = (
            steps.parameters(config, section, wanted=tuple(parameters), recording=recording)
            if config
            else {}
        )
        # What is left out is the config's, or the step's own default, which is not always None.
        step(**configured | {name: value for name, value in arguments.items() if value is not None})

    command.__name__ = step.__name__
    command.__doc__ = (inspect.getdoc(step) or "").split("\n\n")[0].replace("\n", " ").replace("``", "")
    command.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    command.__annotations__ = {option.name: option.annotation for option in options}
    return command


def _require_apart(arguments: Mapping[str, Any]) -> None:
    """Raise ``BadInput`` if two options name one file, as what a step reads would be written over."""
    option_of: dict[Path, str] = {}
    for name, value in arguments.items():
        for path in value if isinstance(value, list) else [value]:
            if not isinstance(path, Path) or not path.is_file():
                continue
            other = option_of.setdefault(path.resolve(), name)
            if other != name:
                raise BadInput(
                    f"--{other} and --{name} both name {path}, and a step writes over nothing that it "
                    "reads; name another file to write."
                )


def _helps(step: Callable[..., None]) -> Mapping[str, str]:
    """Return the description of each parameter, from a NumPy docstring, as plain text."""
    text = inspect.getdoc(step) or ""
    section = text.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    helps = {}
    for names, description in re.findall(r"^(\S[^\n]*)\n((?:    [^\n]*\n?)+)", section + "\n", re.M):
        for name in names.split(","):
            helps[name.strip()] = " ".join(textwrap.dedent(description).replace("``", "").split())
    return helps


for _verb in VERBS:
    app.command(name=_verb, cls=_Several)(_command(getattr(steps, _verb)))

if __name__ == "__main__":
    main()
