"""The verb that looks at data: what is in a dataset."""

import argparse
import json
from typing import Any

from ..config import runs_root


def add_verbs(verbs: Any) -> None:
    """Adds `check`."""
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
