"""The verbs that look at faces: what is in a dataset, and what the bundled model says of it."""

import argparse
import json
from typing import Any

from ..config import runs_root


def add_verbs(verbs: Any) -> None:
    """Adds `check`, `evaluate` and `predict`."""
    _add_check(verbs)
    _add_evaluate(verbs)
    _add_predict(verbs)


def _add_check(verbs: Any) -> None:
    check = verbs.add_parser(
        "check", help="report on a dataset", description="Reports what is in a dataset and what is wrong with it."
    )
    check.add_argument("data", help="sample, kaggle, or a folder, .zip or .tar.gz of UTKFace crops")
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.set_defaults(verb=_check)


def _check(options: argparse.Namespace) -> int:
    from ..data.dataset import data_report, open_dataset

    report = data_report(open_dataset(options.data, runs_root() / "cache"))
    if options.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
        return 0
    quarantined = report.pop("quarantined")
    for name, value in report.items():
        print(f"{name.replace('_', ' '):<28} {value}")
    print(f"{'quarantined':<28} {len(quarantined)}")
    for entry in quarantined:
        print(f"  {entry['file']}: {entry['reason']}")
    return 0


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

    report = evaluate(open_dataset(options.data, runs_root() / "cache"))
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
        help="age and gender of aligned faces",
        description="Predicts age and gender of pictures that are cut like UTKFace's crops, with the bundled model.",
    )
    predict.add_argument("paths", nargs="+", metavar="PATH", help="pictures, or folders of pictures")
    predict.add_argument(
        "--aligned", action="store_true", required=True, help="the pictures are cut like UTKFace's crops"
    )
    predict.add_argument("--csv", default="", metavar="FILE", help="write the table here as well")
    predict.set_defaults(verb=_predict)


def _predict(options: argparse.Namespace) -> int:
    from pathlib import Path

    from ..inference import predict_files

    table = predict_files([Path(path) for path in options.paths])
    if options.csv:
        from ..files import replacing

        with replacing(Path(options.csv)) as temporary:
            table.to_csv(temporary, index=False)
    print(table.round(3).to_string(index=False))
    return 0
