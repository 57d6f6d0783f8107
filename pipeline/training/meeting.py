"""Where workers that torchrun started together find each other, after a restart too."""

import hashlib
import time
import uuid
from datetime import timedelta

from torch.distributed.distributed_c10d import PrefixStore, Store

_PAUSE_S = 0.02


def meet(store: Store, number: int, count: int, timeout: timedelta) -> Store:
    """A part of torchrun's store to which only the workers that meet here write; all of them get the same one.

    torchrun keeps one store through all restarts. There, a worker that is faster than another would read the address
    that a dead one had left, and wait for it until the timeout. So each writes a word of its own, the first worker
    lists all words, and each that finds its own word in the list signs that list. A list that all have signed holds
    nothing old. Raises RuntimeError where they do not all come in time.
    """
    store.set_timeout(timeout)
    end = time.monotonic() + timeout.total_seconds()
    own = uuid.uuid4().hex
    words, signatures = ([f"{what}/{worker}" for worker in range(count)] for what in ("word", "signature"))
    store.set(words[number], own)
    while time.monotonic() < end:
        if number == 0:
            store.set("words", " ".join(_text(store, word) for word in words))
        listed = _text(store, "words")
        if own in listed.split():
            store.set(signatures[number], listed)
            if store.check(signatures) and all(_text(store, signature) == listed for signature in signatures):
                return PrefixStore(hashlib.sha256(listed.encode()).hexdigest(), store)
        time.sleep(_PAUSE_S)
    raise RuntimeError(f"not all of the {count} workers came within {timeout}")


def _text(store: Store, key: str) -> str:
    """What is written there, once something is."""
    return bytes(store.get(key)).decode()
