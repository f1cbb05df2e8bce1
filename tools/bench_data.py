"""What it costs to get a dataset ready and how that grows with the number of faces, and what `predict` takes.

As many different faces as are wanted are made from drawn ones, each turned, lit and coloured in many ways.
"""

import json
import os
import re
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from utkface_mt.data.dataset import data_report, open_dataset
from utkface_mt.data.pixels import open_pixels
from utkface_mt.data.split import assign_parts
from utkface_mt.drawn_faces.photo import WALL

PARTS = ("index", "split", "pictures")
COPY_EVERY = 25  # one face in so many is the one before it, compressed anew: a near-duplicate, as UTKFace has them


def write_faces(drawn: np.ndarray, folder: Path, count: int) -> Path:
    """Writes `count` JPEG files of 200 x 200 pixels, named as UTKFace names them, made from drawn ones."""
    labels = np.random.default_rng(0).integers((1, 0, 0), (91, 2, 5), (len(drawn), 3))
    folder.mkdir()

    def write(number: int) -> None:
        copied = number % COPY_EVERY == 1
        source = (number - copied) % len(drawn)
        name = f"{'_'.join(map(str, labels[source]))}_{20_000_000_000_000_000 + number}.jpg.chip.jpg"
        varied(Image.fromarray(drawn[source]), number - copied).save(folder / name, quality=60 if copied else 85)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(write, range(count)))
    return folder


def varied(picture: Image.Image, seed: int) -> Image.Image:
    """Turns and zooms a picture and lights it unevenly: what comes out is no near-duplicate."""
    rng = np.random.default_rng(seed)
    size = picture.width
    picture = picture.rotate(rng.uniform(-25, 25), Image.Resampling.BILINEAR, translate=tuple(rng.uniform(-20, 20, 2)))
    edge = rng.uniform(0, 0.2) * size
    picture = picture.resize((size, size), Image.Resampling.BILINEAR, box=(edge, edge, size - edge, size - edge))
    lights = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return Image.blend(picture, lights.resize((size, size), Image.Resampling.BICUBIC), 0.5)


def measure_predict(drawn: np.ndarray, folder: Path, photos: int, crops: int) -> dict[str, dict[str, Any]]:
    """What `predict` takes for photos of 1,000 pixels with a drawn face in each, and for crops."""
    (folder / "photos").mkdir()
    for number in range(photos):
        photo = Image.new("RGB", (1000, 1000), WALL)
        photo.paste(Image.fromarray(drawn[number % len(drawn)]).resize((400, 400)), (300, 300))
        photo.save(folder / "photos" / f"{number}.jpg")
    cut = write_faces(drawn, folder / "crops", crops)
    return {"photos": apart("predict", folder / "photos"), "crops": apart("predict", cut, "aligned")}


def seconds_to_first_answer(photo: Path) -> float:
    """What `utkface-mt predict` takes for one photo, from the command to its end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "utkface_mt", "predict", photo], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def apart(work: str, *given: Any) -> dict[str, Any]:
    """What `prepare` or `predict` gives in a process of its own."""
    words = [str(value.resolve()) if isinstance(value, Path) else str(value) for value in given]
    command = [sys.executable, "-m", __name__, work, *words]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def predict(folder: str, aligned: str = "") -> dict[str, Any]:
    """What `predict` takes for a folder, the model's loading included: seconds, and the peak of memory."""
    from utkface_mt.faces.model import load_model
    from utkface_mt.faces.predict import predict_rows
    from utkface_mt.faces.read import list_photos

    started = time.perf_counter()
    rows = [row for _, found in predict_rows(list_photos(folder), load_model(), bool(aligned)) for row in found]
    faces, seconds = sum(row["face"] > 0 for row in rows), time.perf_counter() - started
    return {"faces": faces, "seconds": seconds, "faces_a_second": faces / seconds, "peak_mb": _peak_megabytes()}


def growth_exponent(counts: list[int], seconds: list[float]) -> float:
    """The slope of a straight line through the logarithms: 1 is growth in proportion, 2 is quadratic."""
    return float(np.polyfit(np.log(counts), np.log(seconds), 1)[0])


def prepare(folder: str, store: str, number: str, side: str) -> dict[str, Any]:
    """What preparing the first faces of a folder costs: seconds of `PARTS`, and the peak of memory."""
    storage, count, size = Path(store), int(number), int(side)
    chosen = storage / "faces"
    chosen.mkdir(parents=True)
    for path in sorted(Path(folder).iterdir())[:count]:
        os.link(path, chosen / path.name)
    marks = [time.perf_counter()]
    dataset = open_dataset(str(chosen), storage)
    marks.append(time.perf_counter())
    peak = _peak_megabytes()
    assign_parts(dataset.faces, seed=0)
    marks.append(time.perf_counter())
    open_pixels(dataset, dataset.faces, size)
    marks.append(time.perf_counter())
    seconds = dict(zip(PARTS, np.diff(marks).tolist(), strict=True))
    clusters = data_report(dataset)["near_duplicate_clusters"]
    return {"faces": count, **seconds, "clusters": clusters, "peak_mb": peak}


def _peak_megabytes() -> float:
    """The most memory this process has had; on Linux `getrusage` would tell the parent's, if that was more."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes, as macOS counts


if __name__ == "__main__":  # the process of its own
    print(json.dumps({"prepare": prepare, "predict": predict}[sys.argv[1]](*sys.argv[2:])))
