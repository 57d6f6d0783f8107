"""The command line of a checkout, `python -m pipeline <command>`: the stages, and what is done with their results.

The same commands come with `keypoints`, beside those of the library. Heavy imports wait for a command.
"""

import ast
import contextlib
import importlib
import os
from pathlib import Path
from typing import Annotated

import typer

from facial_keypoints.cli import add_command, errors_as_one_line, new_app, run
from facial_keypoints.core.atomic_files import remove_abandoned
from facial_keypoints.core.errors import ConfigError
from pipeline.commands.compare import compare
from pipeline.commands.export import export
from pipeline.commands.import_ import import_labels
from pipeline.commands.inspect import inspect
from pipeline.commands.parameter_help import parameter_lines
from pipeline.commands.recipe import recipe
from pipeline.commands.register import register
from pipeline.commands.runs import runs
from pipeline.commands.scheme import scheme
from pipeline.commands.ship import ship
from pipeline.commands.sweep import sweep
from pipeline.core import paths
from pipeline.experiments.params import load_params

STAGES = {
    "fetch": "Bring the frames and their labels to data/raw, each file checked.",
    "split": "Assign every frame to train, val or test; people never straddle train and val.",
    "preprocess": "Turn the frames into square grayscale arrays, all cores at work.",
    "pretrain": "Bring the weights that train starts from: a trained model's, or of a training on synthetic faces.",
    "train": "Train the network on the train frames.",
    "evaluate": "Measure the keypoint error on the frames of val and test, and predict all of them.",
    "render": "Draw predictions, error curves and what the network looks at.",
    "track": "Complete this pipeline run in MLflow: metrics, figures, model.",
}
_PANEL = "Stages of dvc repro"


def stage_sections(stage: str) -> list[str]:
    """Sections of params.yaml that the stage's `run(*, …)` declares, found without importing it."""
    source = Path(__file__).with_name("stages") / f"{stage}.py"
    functions = [
        node for node in ast.parse(source.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)
    ]
    return next([arg.arg for arg in function.args.kwonlyargs] for function in functions if function.name == "run")


def add_commands(app: typer.Typer) -> None:
    """Add what a checkout has beside the library: the stages and what is done with their results."""
    add_command(app, import_labels, "import")
    for command in (scheme, inspect, export, ship, recipe, runs, compare, register, sweep, ui):
        add_command(app, command)
    for name, summary in STAGES.items():
        _add_stage_command(app, name, summary)


def _add_stage_command(app: typer.Typer, name: str, summary: str) -> None:
    def command() -> None:
        _run_stage(name)

    listed = "\n\n".join(["Parameters in params.yaml:", *parameter_lines(stage_sections(name))])
    app.command(name, help=summary, epilog=listed, rich_help_panel=_PANEL)(command)


def _run_stage(name: str) -> None:
    with errors_as_one_line(name):
        if name != "train" and "TORCHELASTIC_RUN_ID" in os.environ:
            raise ConfigError(f"{name} is work for one process; start it without torchrun")
        for folder in paths.WRITTEN_TO:
            remove_abandoned(folder)
        stage = importlib.import_module(f"pipeline.stages.{name}").run
        _show_git_the_parameters()
        params = load_params()
        stage(**{section: getattr(params, section) for section in stage_sections(name)})


def _show_git_the_parameters() -> None:
    """Give params.yaml the present time, so that `git checkout .` goes back to the committed one.

    `dvc exp run -S` writes it within a second of checking it out, often with as many bytes as before: git, which
    compares seconds and sizes, would take it for unchanged and leave a refused value in it.
    """
    with contextlib.suppress(OSError):
        os.utime(paths.PARAMS)


def ui(port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 5000) -> None:
    """Show the runs in MLflow's web pages."""
    from pipeline.experiments.tracking.ui import serve

    serve(port)


app = new_app()
add_commands(app)


def main() -> None:
    run(app)
