"""What backbones cost, measured on this machine: renews `reference/backbones.json`, which notebook 04 shows."""

from utkface_mt.config import REFERENCE
from utkface_mt.evaluation.cost import CANDIDATES, measure
from utkface_mt.util.backend import keras
from utkface_mt.util.files import write_json

IMAGE_SIZE = 128

if __name__ == "__main__":
    measured = {}
    for candidate in CANDIDATES:
        measured[candidate] = measure(candidate, IMAGE_SIZE)
        print(candidate, measured[candidate])
        keras.backend.clear_session()
    write_json(REFERENCE / "backbones.json", measured)
