"""The verbs that use the bundled model: scores on labelled faces, what it says of photos, other runtimes."""

import argparse
import json
import sys
from typing import Any

from ..config import runs_root


def add_verbs(verbs: Any) -> None:
    """Adds `evaluate`, `predict` and `export`."""
    _add_evaluate(verbs)
    _add_predict(verbs)
    _add_export(verbs)


def _add_evaluate(verbs: Any) -> None:
    evaluate = verbs.add_parser(
        "evaluate",
        help="score the bundled model on labelled faces",
        description="Predicts UTKFace-named crops with the bundled model and compares with the labels in their names.",
    )
    evaluate.add_argument("data", help="a folder, .zip or .tar.gz of UTKFace crops, or sample")
    evaluate.add_argument("--json", action="store_true", help="print the scores as JSON")
    evaluate.set_defaults(verb=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from ..data.dataset import open_dataset
    from ..inference import evaluate

    dataset = open_dataset(options.data, runs_root() / "cache")
    if left_out := len(dataset.quarantined):
        print(f"{left_out} files are left out; `utkface-mt check {options.data}` says why.", file=sys.stderr)
    report = evaluate(dataset)
    if options.json:
        print(json.dumps(report, indent=2))
        return 0
    for name, scores in {"all": report, **report.pop("by_race")}.items():
        age = f"age MAE {scores['age_mae']:.2f}, RMSE {scores['age_rmse']:.2f} years"
        gender = (
            f"gender accuracy {100 * scores['gender_accuracy']:.1f} %, F1 {100 * scores['gender_f1_weighted']:.1f} %"
        )
        print(f"{name:<8} {scores['n']:>6} faces  {age}  {gender}")
    return 0


def _add_predict(verbs: Any) -> None:
    predict = verbs.add_parser(
        "predict",
        help="age and gender of the faces in photos",
        description="Finds the faces in photos, cuts them like UTKFace's crops, and predicts age and gender with the "
        "bundled model. The gender is one of two labels that other people gave, not what a person is.",
    )
    predict.add_argument("paths", nargs="+", metavar="PATH", help="photos, or folders of photos")
    predict.add_argument(
        "--aligned", action="store_true", help="the pictures are cut like UTKFace's crops: no face has to be found"
    )
    predict.add_argument("--csv", default="", metavar="FILE", help="write the table here as well")
    predict.add_argument(
        "--details", action="store_true", help="add each face's box, the detector's confidence, and a note"
    )
    predict.add_argument("--annotate", default="", metavar="DIR", help="write copies with boxes and labels here")
    predict.add_argument(
        "--confidence", type=float, metavar="C", help="leave out faces less sure than this, 0 to 1; 0.8 by default"
    )
    predict.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes that read photos and find faces; each takes a GB"
    )
    predict.set_defaults(verb=_predict)


def _predict(options: argparse.Namespace) -> int:
    from pathlib import Path

    from ..files import replacing
    from ..photos.annotate import write_annotated
    from ..photos.detect import CONFIDENCE
    from ..photos.predict import COLUMNS, predict_files
    from .progress import progress_bar

    _check_predict(options)
    paths = [Path(path) for path in options.paths]
    folder = Path(options.annotate) if options.annotate else None
    copies: set[Path] = set()

    def each(file: Path, rows: Any) -> None:
        if folder:
            write_annotated(file, rows, paths, folder, copies)

    with progress_bar("Looking at photos") as progress:
        table = predict_files(
            paths,
            aligned=options.aligned,
            confidence=CONFIDENCE if options.confidence is None else options.confidence,
            jobs=options.jobs,
            progress=progress,
            each=each,
            leave_out=folder,
        )
    shown = table if options.details else table[list(COLUMNS)]
    if options.csv:
        with replacing(Path(options.csv)) as temporary:
            shown.to_csv(temporary, index=False)
    print(shown.round(3).to_string(index=False, na_rep=""))
    return _say_what_is_missing(table)


def _check_predict(options: argparse.Namespace) -> None:
    """Refuses what could not end well, before hours of work and before anything is replaced."""
    from pathlib import Path

    from ..errors import UserError
    from ..photos.read import SUFFIXES

    table, copies = Path(options.csv), Path(options.annotate)
    if options.jobs < 1:
        raise UserError(f"--jobs {options.jobs}: it should be 1 or more.")
    if options.confidence is not None and not 0 <= options.confidence <= 1:
        raise UserError(f"--confidence {options.confidence:g}: it should lie between 0 and 1.")
    if not all(options.paths):
        raise UserError("One of the paths is empty. Give pictures, or folders of pictures.")
    if options.csv and (table.is_dir() or table.suffix.lower() in SUFFIXES):
        raise UserError(
            f"--csv {table}: a table cannot take the place of a {'folder' if table.is_dir() else 'picture'}."
        )
    if options.annotate and copies.exists() and not copies.is_dir():
        raise UserError(f"--annotate {copies}: it should be a folder, and is a file.")
    if options.annotate and options.aligned:
        raise UserError("--annotate draws boxes around faces in photos; with --aligned a face fills its picture.")


def _say_what_is_missing(table: Any) -> int:
    """Names the files without an answer; the exit code is 1 if none could be read at all."""
    from ..photos.predict import NO_FACE, NOT_READ

    for _, row in table[table["gender"] == NOT_READ].iterrows():
        print(f"{row['file']}: {row['note']}", file=sys.stderr)
    without = int((table["gender"] == NO_FACE).sum())
    if without:
        print(f"No face was found in {without} of {table['file'].nunique()} files.", file=sys.stderr)
    return int((table["gender"] == NOT_READ).all())


def _add_export(verbs: Any) -> None:
    export = verbs.add_parser(
        "export",
        help="write the bundled model for another runtime",
        description="Writes the bundled model as LiteRT, ONNX or SavedModel: one graph that takes raw crops, uint8 RGB "
        "[n, 200, 200, 3], prepares them itself, and gives age in years and probability_female.",
    )
    export.add_argument("--to", required=True, choices=("litert", "onnx", "saved-model"), help="the format")
    export.add_argument(
        "--precision", default="float32", choices=("float32", "float16", "int8"), help="float32 by default"
    )
    export.add_argument("--out", required=True, metavar="PATH", help="the file to write; a folder for saved-model")
    export.set_defaults(verb=_export)


def _export(options: argparse.Namespace) -> int:
    from pathlib import Path

    from ..export.formats import export_model, licence_beside

    path = export_model(options.to, Path(options.out), options.precision)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    print(f"{path}: {sum(file.stat().st_size for file in files) / 1e6:.2f} MB")
    print(f"For non-commercial research only, as UTKFace is: {licence_beside(path)} goes with it.")
    return 0
