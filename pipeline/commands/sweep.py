"""`keypoints sweep`: many settings in turn, and a table of what came of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facial_keypoints.core.terminal import say

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path("sweeps")


def sweep(
    settings: Annotated[
        list[str], typer.Option("--set", "-S", metavar="NAME=VALUE,...", help="Values to try; may come several times.")
    ],
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Experiments at a time.")] = 1,
    seeds: Annotated[str, typer.Option(help="Values of train.seed, each setting runs with all of them.")] = "0",
) -> None:
    """Run every combination of settings in DVC's queue, and rank them by their validation error.

    Every value is checked before anything is queued; a member that fails leaves the others alone. The table in sweeps/
    says by how much each setting is behind the best and whether that is more than the seeds make.
    """
    from facial_keypoints.core.errors import PipelineError
    from pipeline.experiments.dvc.queue import free_name, result_of, work_off
    from pipeline.experiments.sweeps.settings import check, parse_seeds, parse_settings
    from pipeline.experiments.sweeps.summary import members

    choices = parse_settings(settings)
    planned = members(choices, parse_seeds(seeds))
    check(planned)
    name = free_name("sweep")
    by_name = {f"{name}-{number:02d}": member for number, member in enumerate(planned, start=1)}
    queue(by_name)
    say("Working. Ctrl+C leaves the queue at work; end it with: dvc queue stop --kill")
    finished: list[dict[str, object]] = []

    failed: list[str] = []

    def on_done(member_name: str, status: str) -> None:
        try:
            if status == "Failed":
                raise PipelineError(f"see: dvc queue logs {member_name}")
            finished.append(result_of(member_name, by_name[member_name]))
            told = f"validation NME {float(str(finished[-1]['val_nme_percent'])):.2f} %"
        except PipelineError as error:
            failed.append(member_name)
            told = f"FAILED, {error}"
        say(f"{member_name}: {told} ({_words(by_name[member_name])})")

    work_off(list(by_name), jobs, on_done)
    if not finished:
        raise PipelineError(f"all {len(failed)} members failed; see why with: dvc queue logs {failed[0]}")
    _report(name, finished, list(choices))
    if failed:
        raise PipelineError(f"{len(failed)} of {len(by_name)} members failed: {', '.join(failed)}; dvc queue logs NAME")


def queue(by_name: Mapping[str, Mapping[str, str]]) -> None:
    """All of them or, where one fails, none."""
    from pipeline.experiments.dvc.queue import put, take_back

    queued: list[str] = []
    try:
        for name, member in by_name.items():
            put(name, member)
            queued.append(name)
            say(f"queued {name}: {_words(member)}")
    except BaseException:
        take_back(queued)
        raise


def _words(member: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in member.items())


def _report(name: str, finished: list[dict[str, object]], settings: list[str]) -> None:
    """Write the table and its plot, print the table and how to apply the best."""
    import pandas as pd

    from facial_keypoints.outputs.output_folder import OutputFolder
    from pipeline.evaluation.style import png, style
    from pipeline.experiments.sweeps.figure import sweep_figure
    from pipeline.experiments.sweeps.summary import leaderboard

    results = pd.DataFrame(finished)
    table = leaderboard(results, settings)
    with style():
        picture = png(sweep_figure(table, results, settings))
    target = OutputFolder(FOLDER).target(name, None)
    for ending, content in ((".csv", table.round(6).to_csv(index=False).encode()), (".png", picture)):
        with target.writing(ending) as partial:
            partial.write_bytes(content)
    for line in _shown(table, settings).to_string(index=False).splitlines():
        say(line)
    say(f"{FOLDER / name}.csv, {FOLDER / name}.png")
    say(f"Take the best over: dvc exp apply {table['best'][0]}")


def _shown(table: "pd.DataFrame", settings: list[str]) -> "pd.DataFrame":
    shown = table[settings].copy()
    for column, heading in (
        ("val_nme_percent", "val NME %"),
        ("behind", "behind"),
        ("spread", "spread"),
        ("test_nme_percent", "test %"),
    ):
        shown[heading] = table[column].map("{:.3f}".format).replace("nan", "-")
    return shown.assign(seeds=table["seeds"], clear=table["clear"])
