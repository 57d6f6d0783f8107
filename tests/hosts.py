"""Train on two hosts, one of which is cut off in the middle: python -m tests.hosts

The hosts are two network namespaces of this machine with a cable between them; both see its files, as over NFS. First
the one is cut off on which the first worker is not, then the one on which it is. The other goes on alone. Ends with
status 1 if model, history or MLflow's run differ from those of one worker. Needs root and iproute2's `ip`.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.checkout import Checkout, differing
from tests.own_folder import own_folder

EPOCHS = 8
STAYS, CUT_OFF = "keypoints-stays", "keypoints-cut-off"
LOW, HIGH = "10.203.0.1", "10.203.0.2"
"""Addresses. The first worker is on the host whose address comes first."""
SILENCE_S = 20
"""After which a worker takes the others for lost."""
RESULTS = ("data/model", "reports/history.csv")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def hosts(addresses: dict[str, str]) -> Iterator[None]:
    """Network namespaces by name, each with an address, joined by a cable that is called `cable` in both."""
    try:
        for host in addresses:
            ip("netns", "add", host)
        one, other = addresses
        ip("link", "add", "cable", "netns", one, "type", "veth", "peer", "name", "cable", "netns", other)
        for host, address in addresses.items():
            ip("-n", host, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                ip("-n", host, "link", "set", device, "up")
        yield
    finally:
        for host in addresses:
            subprocess.run(["ip", "netns", "delete", host], check=False)


def start(checkout: Checkout, host: str, addresses: dict[str, str]) -> subprocess.Popen[str]:
    """Torchrun on one host; the one that stays holds the meeting point."""
    meeting = f"last_call_timeout=5,is_host={int(host == STAYS)}"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "1:2", "--nproc-per-node", "1"]
    torchrun += ["--max-restarts", "3", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"{addresses[STAYS]}:29400"]
    torchrun += ["--rdzv-id", "two-hosts", "--rdzv-conf", meeting, "--local-addr", addresses[host]]
    return subprocess.Popen(
        ["ip", "netns", "exec", host, *torchrun, "-m", "pipeline", "train"],
        cwd=checkout.folder,
        env=checkout.environment | {"GLOO_SOCKET_IFNAME": "cable", "KEYPOINTS_WORKER_TIMEOUT_S": str(SILENCE_S)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def train_and_cut_off(checkout: Checkout, addresses: dict[str, str]) -> str:
    """What the host that stays tells; the other one is cut off after the first epoch."""
    with hosts(addresses):
        stays, cut_off = (start(checkout, host, addresses) for host in (STAYS, CUT_OFF))
        checkpoints = checkout.folder / ".checkpoints" / "train"
        while stays.poll() is None and not list(checkpoints.glob("*.safetensors")):
            time.sleep(0.05)
        ip("-n", CUT_OFF, "link", "set", "cable", "down")
        told, _ = stays.communicate()
        cut_off.kill()
        cut_off.communicate()
    return told


def forget(checkout: Checkout) -> None:
    """Remove what a training made."""
    for place in (*RESULTS, ".checkpoints"):
        path = checkout.folder / place
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for file in checkout.folder.glob("mlflow.db*"):
        file.unlink()


def same_on_both(folder: Path) -> bool:
    """Whether a training whose one host is cut off ends as one that is not, whichever host that is."""
    checkout = Checkout(folder / "checkout")
    checkout.environment["OMP_NUM_THREADS"] = "1"
    checkout.make_small(epochs=EPOCHS, shards=2)
    checkout.run("dvc", "repro", "preprocess", "pretrain")
    checkout.run("python", "-m", "pipeline", "train")
    alone, good = checkout.digests(*RESULTS), True
    for first, addresses in {
        "stays": {STAYS: LOW, CUT_OFF: HIGH},
        "is cut off": {STAYS: HIGH, CUT_OFF: LOW},
    }.items():
        forget(checkout)
        told = train_and_cut_off(checkout, addresses)
        unlike = differing(alone, checkout.digests(*RESULTS))
        runs = checkout.mlflow("select status from runs where lifecycle_stage = 'active'")
        went_on = "going on after epoch" in told
        print(
            f"the first worker {first}: {'went on' if went_on else 'DID NOT GO ON'}, files "
            f"{'DIFFERENT' if unlike else 'identical'}, MLflow {runs}",
            flush=True,
        )
        if unlike or not went_on or runs != [("FINISHED",)]:
            print(told)
            good = False
    return good


def main() -> None:
    if os.geteuid() or not shutil.which("ip"):
        sys.exit("network namespaces need root and the program ip; on Debian and Ubuntu: apt-get install iproute2")
    with own_folder() as folder:
        if not same_on_both(folder):
            sys.exit(1)


if __name__ == "__main__":
    main()
