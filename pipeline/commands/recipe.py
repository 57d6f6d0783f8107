"""`keypoints recipe`: a named set of parameters, written into params.yaml."""

from typing import Annotated

import typer

from facial_keypoints.core.terminal import say
from pipeline.commands.fitted_table import say_fitted


def recipe(
    name: Annotated[str, typer.Argument(help="The recipe to write into params.yaml; none lists them.")] = "",
    options: Annotated[
        bool, typer.Option("--options", help="Write nothing; print the recipe as options of `dvc exp run`.")
    ] = False,
) -> None:
    """Put a named recipe, such as a course network as its author trained it, into params.yaml.

    It sets model, augmentation, pretraining and training, all but the seeds, and the share of people held out, whatever
    stood there. Then: dvc repro. To go back: keypoints recipe default.

    To leave params.yaml alone: dvc exp run $(keypoints recipe NAME --options).
    """
    from facial_keypoints.core.errors import ConfigError
    from pipeline.experiments.recipe import changed_values, recipe_names, recipe_summary, recipe_values, write_values

    if not name:
        if options:
            raise ConfigError("--options prints those of a recipe; name one: keypoints recipe NAME --options")
        say_fitted(
            {"recipe": "left", "what it is": "left"}, [(known, recipe_summary(known)) for known in recipe_names()]
        )
        return
    values = recipe_values(name)
    if options:
        say(" ".join(f"-S {key}={value}" for key, value in changed_values(values).items()))
        return
    changes = write_values(values)
    for line in [*changes, "params.yaml is written; now: dvc repro"] if changes else ["nothing to change"]:
        say(line)
