"""The command line: `python -m pipeline <command>`, installed as `keypoints`. Heavy imports wait for a command."""

import ast
import functools
import importlib
import importlib.metadata
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pipeline import paths
from pipeline.commands.compare import compare
from pipeline.commands.export import export
from pipeline.commands.filter import filter_faces
from pipeline.commands.inspect import inspect
from pipeline.commands.predict import predict
from pipeline.commands.recipe import recipe
from pipeline.commands.register import register
from pipeline.commands.sweep import sweep
from pipeline.config import describe, load_params
from pipeline.errors import PipelineError
from pipeline.files import remove_abandoned
from pipeline.os_errors import is_of_the_system, one_line
from pipeline.terminal import say, standard_streams, tell

STAGES = {
    "fetch": "Bring the frames and their labels to data/raw, each file checked.",
    "split": "Assign every frame to train, val or test; people never straddle train and val.",
    "preprocess": "Turn the frames into square grayscale arrays, all cores at work.",
    "pretrain": "Train the network on drawn faces first, if pretrain.epochs says so.",
    "train": "Train the network on the train frames.",
    "evaluate": "Measure the keypoint error on the test frames and predict all of them.",
    "render": "Draw predictions, error curves and what the network looks at.",
    "track": "Complete this pipeline run in MLflow: metrics, figures, model.",
}

HELP = "Find the 68 keypoints of faces: run the stages that train and measure a model, and use it on your own pictures."
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"facial-keypoints {importlib.metadata.version('facial-keypoints')}")
        raise typer.Exit


@app.callback(help=HELP)
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Options of no command; `version` is dealt with by its callback."""


def stage_sections(stage: str) -> list[str]:
    """Sections of params.yaml that the stage's `run(*, …)` declares, found without importing it."""
    source = Path(__file__).with_name("stages") / f"{stage}.py"
    functions = [
        node for node in ast.parse(source.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)
    ]
    return next([arg.arg for arg in function.args.kwonlyargs] for function in functions if function.name == "run")


class Terminated(KeyboardInterrupt):
    """What SIGTERM and a closed terminal end a command with: as by Ctrl+C, nothing is left half written."""


@contextmanager
def errors_as_one_line(command: str = "keypoints") -> Iterator[None]:
    """End whatever the user can mend as one line on stderr and a status other than 0, without a traceback.

    `command` is named where nothing else tells what was being done.
    """
    try:
        yield
    except PipelineError as error:
        _fail(str(error), 1)
    except (OSError, MemoryError, RuntimeError) as error:
        if not is_of_the_system(error):
            raise
        _fail(one_line(error, command), 1)
    except Terminated:
        _fail("terminated", 128 + signal.SIGTERM)
    except KeyboardInterrupt:
        _fail("interrupted", 128 + signal.SIGINT)


def _fail(message: str, status: int) -> NoReturn:
    tell(f"error: {message}")
    raise typer.Exit(status) from None


def _run_stage(name: str) -> None:
    with errors_as_one_line(name):
        for folder in paths.WRITTEN_TO:
            remove_abandoned(folder)
        params = load_params()
        run = importlib.import_module(f"pipeline.stages.{name}").run
        run(**{section: getattr(params, section) for section in stage_sections(name)})


def _add_stage_command(name: str, summary: str) -> None:
    def command() -> None:
        _run_stage(name)

    parameters = [line for section in stage_sections(name) for line in describe(section)]
    listed = "\n\n".join(["Parameters in params.yaml:", *parameters])
    app.command(name, help=summary, epilog=listed)(command)


for _name, _summary in STAGES.items():
    _add_stage_command(_name, _summary)


def _add_command(command: Callable[..., None], name: str | None = None) -> None:
    @functools.wraps(command)
    def guarded(*args: object, **options: object) -> None:
        with errors_as_one_line(name or command.__name__):
            command(*args, **options)

    app.command(name)(guarded)


_add_command(predict)
_add_command(inspect)
_add_command(filter_faces, "filter")
_add_command(export)
_add_command(recipe)
_add_command(compare)
_add_command(register)
_add_command(sweep)


@app.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 5000) -> None:
    """Show the runs in MLflow's web pages."""
    from pipeline.ui import serve

    with errors_as_one_line("ui"):
        serve(port)


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup leaves SIGHUP ignored
            signal.signal(number, _terminate)
    with standard_streams():
        app()


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated
