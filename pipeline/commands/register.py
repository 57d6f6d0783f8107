"""`keypoints register`: the best model under one name in MLflow's registry."""

from typing import Annotated, Any

import typer

from facial_keypoints.core.terminal import say


def register(
    run: Annotated[
        str | None,
        typer.Argument(
            help="MLflow run or DVC experiment, see `keypoints runs`; else the run of this workspace's model."
        ),
    ] = None,
) -> None:
    """Give the model of a run a version in MLflow's registry, and the alias champion if it is better.

    Better than the present champion: the 95 % interval of the difference of their NME on the same val faces, over
    people, lies below zero (on the same test faces where a run has no val). Load it with
    mlflow.pyfunc.load_model("models:/facial-keypoints@champion").
    """
    from pipeline.experiments.comparison import paired
    from pipeline.experiments.lookup import find_results
    from pipeline.experiments.tracking import registry

    chosen = _find(run)
    results = find_results(chosen.info.run_id)
    version, reigning = registry.add_version(chosen), registry.champion()
    named = f"{registry.REGISTERED} version {version.number} ({chosen.info.run_name})"
    if reigning and reigning.run_id == version.run_id:
        say(f"{named} is the champion already")
        return
    if reigning is None:
        registry.crown(version)
        say(f"{named} is the first champion")
        return
    try:
        split, difference = paired(find_results(reigning.run_id), results)
    except ValueError:
        say(
            f"{named} does not become champion: version {reigning.number}, which is, was measured on other frames; "
            "register a run on the same"
        )
        return
    interval = f"NME on {split} {difference}, against version {reigning.number}"
    if difference.b_is_better:
        registry.crown(version)
        say(f"{named} is the new champion: {interval}")
    else:
        say(f"{named} does not become champion: {interval}; better would be an interval below zero")


def _find(name: str | None) -> Any:
    """The MLflow run called `name`, else that of the model in the workspace. Raises ModelError, TrackingError."""
    from facial_keypoints.core.atomic_files import file_sha256
    from facial_keypoints.core.errors import ModelError, TrackingError
    from pipeline.core import paths
    from pipeline.experiments.run_list import recorded_as
    from pipeline.experiments.tracking import run_search

    if name is not None:
        found = run_search.find_run(name)
        if found is None and (run_id := recorded_as(name)):
            found = run_search.find_run(run_id)
        remedy = f"no finished run of MLflow is called {name}; see them with: keypoints runs"
    elif paths.MODEL.exists():
        found = run_search.run_of_model(file_sha256(paths.MODEL))
        remedy = f"no run of MLflow has the model {paths.MODEL}; record it with: dvc repro -fs track"
    else:
        train = paths.in_root("dvc repro train")
        raise ModelError(f"{paths.MODEL} is missing; name a run, or train a model with: {train}")
    if found is None:
        raise TrackingError(remedy)
    return found
