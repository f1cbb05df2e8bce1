"""Which of UTKFace's labels are probably wrong: answers from five folds, and what they say against the labels.

Each fold is answered by a network that was trained on the other four, near-duplicates kept together. Folds that are
done are kept: the same command goes on. The folds serve this table alone; the parts of the split stay what they are.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from utkface_mt.config import REFERENCE, Experiment
from utkface_mt.data.split import deal_folds
from utkface_mt.evaluation.calibration import AgeInterval
from utkface_mt.evaluation.suspicion import add_suspicion, most_suspicious_first, suspicion_counts
from utkface_mt.experiments.reference import best_result
from utkface_mt.experiments.run import load_network, predict_part, run
from utkface_mt.experiments.workspace import Workspace
from utkface_mt.util.files import write_table

from .command import call, data_parser, workspace_of

RECIPE = {"image_size": 128, "first_size": 0, "epochs": 8}  # the best recipe, shortened to a night on two cores


def audit(workspace: Workspace, experiment: Experiment, folds: int = 5) -> pd.DataFrame:
    """The table of all faces with out-of-fold answers and suspicions, the most suspicious first.

    Of the faces outside a fold a tenth decides which epoch is kept, and gives the interval of the ages.
    """
    faces, answers = workspace.faces, []
    clusters = np.random.default_rng(0).permutation(faces["cluster"].unique())
    apart, numbers = faces["cluster"].isin(clusters[: len(clusters) // 10]), deal_folds(faces, folds)
    for number in range(folds):
        part = np.select([numbers == number, apart], ["test", "validation"], "train")
        fold = replace(workspace, faces=faces.assign(part=part))
        result = run(fold, experiment)
        found = predict_part(fold, load_network(fold, result), experiment, "test")
        half_width = AgeInterval.fit(workspace.store.predictions(result, "validation")).half_width
        answers.append(found.assign(age_low=found["age"] - half_width, age_high=found["age"] + half_width))
        print(f"fold {number + 1} of {folds}: {len(found)} faces, validation {result.validation}", flush=True)
    table = pd.concat(answers).rename(columns={"age": "age_predicted", "age_true": "age", "gender_true": "gender"})
    return most_suspicious_first(add_suspicion(table)).drop(columns="cluster").round(4)


def main() -> None:
    """Trains the folds and writes `reference/labels.csv.gz`."""
    options = data_parser(__doc__.splitlines()[0]).parse_args()
    workspace = workspace_of(options)
    workspace = replace(workspace, folder=workspace.settings.runs_folder / "label_audit")
    experiment = replace(best_result().experiment, weights=workspace.start.weights, **RECIPE)
    labels = audit(workspace, experiment)
    write_table(REFERENCE / "labels.csv.gz", labels)
    print(suspicion_counts(labels))


if __name__ == "__main__":
    call(main)
