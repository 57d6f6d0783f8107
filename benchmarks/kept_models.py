"""The networks that the studies trained, kept as model files for what is to be measured on them later."""

from dataclasses import asdict
from pathlib import Path

from benchmarks.jobs import Job
from pipeline.models.model_file import save_model
from pipeline.models.network import KeypointNetwork

FOLDER = Path(".checkpoints/trainings")


def path_of(job: Job) -> Path:
    """Where the network of a training is kept; the file has the name of the entry, by which charts tell it."""
    key = job.key()
    folder = FOLDER / f"{key['digest']}-seed{key['seed']}-fold{key['fold']}"
    return folder / f"{job.entry.replace(' ', '_')}.safetensors"


def keep(job: Job, network: KeypointNetwork) -> None:
    """Write the network of a training."""
    path = path_of(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(path, network, {"model": asdict(job.params.model), "preprocess": asdict(job.params.preprocess)})
