"""What backbones cost, measured on this machine: renews `reference/backbones.json`, which notebook 04 shows."""

import argparse

from rich.progress import track

from utkface_mt.config import REFERENCE
from utkface_mt.evaluation.cost import CANDIDATES, measure
from utkface_mt.util.files import write_json


def main() -> None:
    """Measures every candidate, and writes when all are done."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    write_json(REFERENCE / "backbones.json", {name: measure(name, image_size=128) for name in track(CANDIDATES)})


if __name__ == "__main__":
    main()
