"""Names of people who do not exist."""

import numpy as np

_GIVEN = (
    *(
        "Ada",
        "Amal",
        "Anselm",
        "Bela",
        "Bruno",
        "Chidi",
        "Clio",
        "Dara",
        "Edda",
        "Emeka",
        "Farid",
        "Greta",
        "Hana",
        "Ines",
    ),
    *(
        "Ivo",
        "Jun",
        "Kaya",
        "Kofi",
        "Lale",
        "Leif",
        "Malik",
        "Mira",
        "Nadia",
        "Noor",
        "Otto",
        "Pia",
        "Quim",
        "Rafa",
        "Rosa",
    ),
    *("Sana", "Soren", "Tala", "Teo", "Uma", "Vera", "Wim", "Xenia", "Yaro", "Zora"),
)
_START = (
    "Al",
    "Bar",
    "Cor",
    "Dan",
    "El",
    "Fen",
    "Gar",
    "Hol",
    "Ist",
    "Jor",
    "Kal",
    "Lom",
    "Mar",
    "Nor",
    "Or",
    "Pel",
    "Ras",
    "Sil",
)
_MIDDLE = ("", "a", "e", "i", "ema", "ino", "ora", "uli", "ande", "osti")
_END = ("bek", "dal", "ford", "gren", "kin", "lund", "mar", "nez", "ri", "sen", "tova", "vik", "wen", "zaki")


def person_names(count: int, seed: int) -> list[str]:
    """Return `count` distinct names such as Mira_Noralund, the same for the same seed."""
    rng = np.random.default_rng([seed, count])
    names: dict[str, None] = {}
    while len(names) < count:
        given, *family = (str(rng.choice(parts)) for parts in (_GIVEN, _START, _MIDDLE, _END))
        names.setdefault(f"{given}_{''.join(family)}")
    return list(names)
