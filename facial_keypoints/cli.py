"""The command `keypoints`. Heavy imports wait for a command; other packages add commands of theirs."""

import functools
import importlib.metadata
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from facial_keypoints.commands.extensions import Commands, command_extensions, missing_package
from facial_keypoints.commands.filter import filter_sources
from facial_keypoints.commands.os_errors import is_of_the_system, one_line
from facial_keypoints.commands.predict import predict
from facial_keypoints.core.errors import KeypointsError, KeypointsWarning, interruption
from facial_keypoints.core.terminal import ReaderLeftError, say, standard_streams, tell

HELP = "Find the 68 keypoints of faces in your own pictures and videos; in a checkout, train and measure the model."


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"facial-keypoints {importlib.metadata.version('facial-keypoints')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Options of no command; `version` is dealt with by its callback."""


def new_app() -> typer.Typer:
    """The app with the commands of the library."""
    app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback(help=HELP)(_options)
    add_command(app, predict)
    add_command(app, filter_sources, "filter")
    return app


def add_command(app: typer.Typer, command: Callable[..., None], name: str | None = None) -> None:
    """Add `command`, what the user can mend ending it as one line."""

    @functools.wraps(command)
    def guarded(*args: object, **options: object) -> None:
        with errors_as_one_line(name or command.__name__):
            command(*args, **options)

    app.command(name, help=_paragraphs(command.__doc__ or ""))(guarded)


def _paragraphs(text: str) -> str:
    """The text with a line a paragraph, for typer keeps the line ends of docstrings."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


class Terminated(KeyboardInterrupt):
    """What SIGTERM and a closed terminal end a command with: as by Ctrl+C, nothing is left half written."""


@contextmanager
def errors_as_one_line(command: str = "keypoints") -> Iterator[None]:
    """End whatever the user can mend as one line on stderr and a status other than 0, without a traceback.

    `command` is named where nothing else tells what was being done.
    """
    try:
        with _warnings_as_one_line():
            yield
    except ReaderLeftError:
        raise typer.Exit(0) from None  # it has seen what it wanted, as `head -1` has
    except (Exception, KeyboardInterrupt) as error:
        if (interrupt := interruption(error)) is not None:
            _end_interrupted(interrupt)
        if (message := _message(error, command)) is None:
            raise
        _fail(message, 1)


@contextmanager
def _warnings_as_one_line() -> Iterator[None]:
    """Inside, tell our own warnings as notes, each time, and none of Pillow's."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, KeypointsWarning):
                tell(f"note: {message}")
            else:
                others(message, category, *place, **more)

        warnings.simplefilter("always", KeypointsWarning)
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of pictures that it reads all the same
        warnings.showwarning = show
        yield


def _message(error: BaseException, command: str) -> str | None:
    """One line for what the user can mend; None where the program went wrong."""
    if isinstance(error, KeypointsError):
        return str(error)
    if isinstance(error, ImportError):
        missing = missing_package(error)
        return f"{command}: {missing}" if missing is not None else None
    return one_line(error, command) if is_of_the_system(error) else None


def _end_interrupted(interrupt: KeyboardInterrupt) -> NoReturn:
    if isinstance(interrupt, Terminated):
        _fail("terminated", 128 + signal.SIGTERM)
    _fail("interrupted", 128 + signal.SIGINT)


def _fail(message: str, status: int) -> NoReturn:
    tell(f"error: {message}")
    raise typer.Exit(status) from None


def main() -> None:
    """Run `keypoints` with every command that is installed."""
    try:
        app = new_app()
        for add_commands in command_extensions()[0]:
            add_commands(app)
    except KeyboardInterrupt:  # as the commands are loaded
        tell("error: interrupted")
        sys.exit(128 + signal.SIGINT)
    run(app)


def run(app: typer.Typer) -> None:
    """Run the command of `sys.argv`, ended by signals and closed pipes without a traceback."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup leaves SIGHUP ignored
            signal.signal(number, _terminate)
    try:
        with standard_streams():
            app()
    finally:  # Python itself catches no exception as it ends, and shows it
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated
