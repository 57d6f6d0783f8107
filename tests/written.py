from pathlib import Path

from facial_keypoints.outputs.ledger import LEDGER


def written(folder: Path) -> list[str]:
    """Sorted names of the files that a command left in its output folder."""
    return sorted(path.name for path in folder.iterdir() if path.name != LEDGER)
