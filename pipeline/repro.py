"""`make repro`: `dvc repro`, or with synthetic faces where the real frames are needed and no source can be reached."""

import os
import sys
from pathlib import Path

import typer

from facial_keypoints.cli import errors_as_one_line
from facial_keypoints.core.errors import GitError
from facial_keypoints.core.terminal import standard_streams, tell
from facial_keypoints.core.text import printable
from pipeline.core.paths import workspace_root
from pipeline.experiments.dvc import git
from pipeline.experiments.dvc.internals import open_repository, run_dvc
from pipeline.experiments.dvc.obstacles import refuse_what_stops_dvc
from pipeline.experiments.dvc.repair import mend, refuse_what_is_damaged
from pipeline.experiments.params import load_params
from pipeline.experiments.recipe import write_values

WIDTH = 100
WAY_BACK = (
    "For the real frames: set KEYPOINTS_MIRROR to a folder, .tar.gz, .zip or URL that holds them, or go where the "
    "public archive can be reached; then set fetch.source back to youtube-faces in params.yaml and run make repro."
)


def main(arguments: list[str] | None = None) -> int:
    """Bring the pipeline up to date, passing `arguments` on to DVC; returns its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # dvc.yaml says `python`: it shall be this one, also where the environment is not activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        with errors_as_one_line("make repro"):
            dry = "--dry" in arguments
            _prepare(dry)
            if reasons := _unreachable(arguments):
                _draw_instead(reasons, dry)
    except typer.Exit as end:
        return end.exit_code
    status = run_dvc("repro", *arguments)
    if reasons and status == 0 and not dry:
        _say("THESE RESULTS ARE OF SYNTHETIC FACES, as params.yaml and every report say", WAY_BACK)
    return status


def _prepare(dry: bool) -> None:
    """Mend what a killed DVC left, or `dry` refuse it; raise KeypointsError for what would stop DVC.

    What git refuses is only told.
    """
    with open_repository() as repository, repository.locked():
        (refuse_what_is_damaged if dry else mend)(repository)
        refuse_what_stops_dvc(repository)
    try:
        git.head()
    except GitError as error:
        tell(f"warning: runs will name no commit and experiments fail: {error}")


def _draw_instead(reasons: list[str], dry: bool) -> None:
    """Say why, and write into params.yaml that the faces are synthetic; `dry` says that it would."""
    if dry:
        _say("NO REAL FRAMES CAN BE REACHED: WITHOUT --dry SYNTHETIC FACES WOULD STAND IN", *reasons, WAY_BACK)
        return
    _say(
        "NO REAL FRAMES CAN BE REACHED: EVERYTHING THAT FOLLOWS IS SYNTHETIC",
        *reasons,
        "Synthetic faces stand in; params.yaml and every report will say fetch.source: synthetic.",
        WAY_BACK,
    )
    write_values({"fetch.source": "synthetic"})


def _unreachable(arguments: list[str]) -> list[str]:
    """Why no source of real frames can be reached, where they are needed; empty where all is well."""
    source = load_params().fetch.source
    # Before datasets are looked at, which loads pandas: mostly there is nothing to do.
    if not {"-f", "--force"} & set(arguments) and not fetch_has_work():
        return []
    from pipeline.datasets.definition import find_datasets

    archives = [(one, one.archive) for one in find_datasets(source) if one.archive]
    if not archives:
        return []
    from pipeline.datasets.gathering import probe
    from pipeline.datasets.manifest import read_manifest
    from pipeline.datasets.source import choose_source
    from pipeline.stages.fetch import no_source_needed

    reasons = [
        probe(choose_source(archive, workspace_root()), read_manifest(dataset.manifest))
        for dataset, archive in archives
        if not no_source_needed(dataset)
    ]
    return [reason for reason in reasons if reason]


def fetch_has_work() -> bool:
    """Whether `dvc repro` would run the fetch stage: it changed, and the cache has no outputs for what it is now."""
    with open_repository() as repository, repository.locked():
        return repository.has_work("fetch")


def _say(title: str, *paragraphs: str) -> None:
    """Print a framed message that cannot be overlooked."""
    import textwrap

    lines = [title, ""]
    for paragraph in paragraphs:
        lines += textwrap.wrap(printable(paragraph), WIDTH - 6, break_long_words=False, break_on_hyphens=False)
    frame = "#" * WIDTH
    body = "\n".join(f"## {line}".rstrip() for line in lines)
    print(f"\n{frame}\n{body}\n{frame}\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    with standard_streams():
        sys.exit(main())
