"""What backbones cost, measured on this machine: renews `reference/backbones.json`, which notebook 04 shows."""

import argparse

from utkface_mt.config import REFERENCE
from utkface_mt.evaluation.cost import CANDIDATES, measure
from utkface_mt.util.backend import keras
from utkface_mt.util.files import write_json

IMAGE_SIZE = 128


def main() -> None:
    """Measures every candidate, and writes when all are done."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    measured = {}
    for candidate in CANDIDATES:
        measured[candidate] = measure(candidate, IMAGE_SIZE)
        print(candidate, measured[candidate], flush=True)
        keras.backend.clear_session()
    write_json(REFERENCE / "backbones.json", measured)


if __name__ == "__main__":
    main()
