"""Do what a user of the library alone does, in an environment made with `pip install .`: PYTHON -I tests/light.py

Needs nothing but the library, so that it runs where the other tests cannot.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOT_NEEDED = ("pipeline", "torch", "pandas", "dvc", "mlflow", "matplotlib", "scipy")


def keypoints(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What the installed command does in the folder that this process is in."""
    command = [str(Path(sys.executable).with_name("keypoints")), *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def check(done: subprocess.CompletedProcess[str], status: int) -> None:
    told = f"{done.args}: status {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.returncode == status, told
    assert "Traceback" not in done.stderr, told


def predict_and_filter() -> None:
    check(keypoints("predict", "me.jpg"), 0)
    faces = json.loads(Path("predicted/me.json").read_text(encoding="utf-8"))["faces"]
    assert [len(face["keypoints"]) for face in faces] == [68] * 4
    check(keypoints("filter", "--name", "sunglasses", "me.jpg"), 0)
    assert Path("filtered/me_sunglasses.jpg").stat().st_size


def example_of_the_readme() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    result: dict = {}
    exec(code, result)
    assert [points.shape for points in result["keypoints"]] == [(68, 2)] * 4
    assert not {"typer", "pydantic"} & set(sys.modules)


def commands_of_the_pipeline() -> None:
    done = keypoints("runs")
    check(done, 2)
    assert done.stderr.count("\n") == 1
    assert "come with a checkout of the project: make install" in done.stderr


def main() -> None:
    installed = [name for name in NOT_NEEDED if find_spec(name)]
    assert not installed, f"{installed} should not be installed here"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "examples" / "people.jpg", Path(folder, "me.jpg"))
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        predict_and_filter()
        example_of_the_readme()
        commands_of_the_pipeline()
        told_to_others = [*Path(folder).rglob("Microsoft")]
        assert not told_to_others, f"ONNX Runtime keeps {told_to_others}, which it sends to its maker"
    print(f"the library alone does its work on Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
