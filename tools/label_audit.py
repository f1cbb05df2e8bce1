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

FOLDS = 5
RECIPE = {"image_size": 128, "first_size": 0, "epochs": 12}  # the best recipe, shortened to a night on two cores


def answer_fold(workspace: Workspace, experiment: Experiment, fold: np.ndarray) -> pd.DataFrame:
    """The answers to a fold's faces, at the positions `fold`, by a network that was trained on the others.

    A tenth of the others decides which epoch is kept, and gives the interval of the ages.
    """
    clusters = workspace.faces["cluster"]
    order = np.random.default_rng(0).permutation(clusters.unique())
    part = pd.Series("train", workspace.faces.index).mask(clusters.isin(order[: len(order) // 10]), "validation")
    part.iloc[fold] = "test"
    workspace = replace(workspace, faces=workspace.faces.assign(part=part))
    result = run(workspace, experiment)
    answers = predict_part(workspace, load_network(workspace, result), experiment, "test")
    half_width = AgeInterval.fit(workspace.store.predictions(result, "validation")).half_width
    return answers.assign(age_low=answers["age"] - half_width, age_high=answers["age"] + half_width)


def audit(workspace: Workspace, experiment: Experiment, folds: int = FOLDS) -> pd.DataFrame:
    """The table of all faces with out-of-fold answers and suspicions, the most suspicious first."""
    numbers, answers = deal_folds(workspace.faces, folds), []
    for number in range(folds):
        fold = np.flatnonzero(numbers == number)
        answers.append(answer_fold(workspace, experiment, fold))
        error = (answers[-1]["age"] - answers[-1]["age_true"]).abs().mean()
        print(f"fold {number + 1} of {folds}: {len(fold)} faces, age MAE {error:.2f} years", flush=True)
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
