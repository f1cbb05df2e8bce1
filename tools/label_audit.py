"""Which of UTKFace's labels are probably wrong: answers from five folds, and what they say against the labels.

Each fold is answered by a network that was trained on the other four, near-duplicates kept together. Folds that are
done are kept: the same command goes on. The folds serve this table alone; the parts of the split stay what they are.
With `--train` it says instead what training gains where the labels that the table suspects count for less.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from utkface_mt.config import REFERENCE, Experiment
from utkface_mt.data.split import deal_folds
from utkface_mt.evaluation.calibration import AgeInterval
from utkface_mt.evaluation.metrics import paired_difference, score
from utkface_mt.evaluation.suspicion import add_suspicion, most_suspicious_first, suspicion_counts, suspicious
from utkface_mt.experiments.reference import best_result, published_labels
from utkface_mt.experiments.run import load_network, predict_part, run
from utkface_mt.experiments.workspace import Workspace
from utkface_mt.util.files import write_table

from .command import call, data_parser, workspace_of

RECIPE = {"image_size": 128, "first_size": 0, "epochs": 8}  # the best recipe, shortened to a night on two cores
WAYS = {"all": 2, "half": 1, "none": 0}  # weight of suspicious labels: how often they are seen while others are twice


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


def compare(workspace: Workspace, experiment: Experiment, labels: pd.DataFrame, seeds: tuple = (0, 1)) -> pd.DataFrame:
    """What training gains where suspicious labels have half the weight of others, or none: a row a score.

    By seed, weight, and whether the validation faces are all (`plain`) or those without suspicious labels (`cleaned`),
    it holds the paired difference to the same seed with all weights, and the score itself.
    """
    faces, found, before = workspace.faces, {}, {}
    doubted = faces["file"].isin(labels.loc[suspicious(labels), "file"])
    for seed in seeds:
        for way, times in WAYS.items():
            often = np.where(faces["part"] == "train", np.where(doubted, times, 2), 1)
            some = replace(workspace, faces=faces.loc[faces.index.repeat(often)].reset_index(drop=True))
            result = run(some, replace(experiment, seed=seed, epochs=experiment.epochs // 2))
            plain = some.store.predictions(result, "validation")
            answers = {"plain": plain, "cleaned": plain[~plain["file"].isin(faces["file"][doubted])]}
            before = answers if way == "all" else before
            for name, table in answers.items():
                found[seed, way, name] = paired_difference(before[name], table).assign(score=pd.Series(score(table)))
            print(f"seed {seed}, weight {way}: validation {result.validation}", flush=True)
    return pd.concat(found).round(4)


def main() -> None:
    """Trains the folds and writes `reference/labels.csv.gz`, or compares."""
    parser = data_parser(__doc__.splitlines()[0])
    parser.add_argument("--train", action="store_true", help="train with suspicious labels, with half of them, without")
    options = parser.parse_args()
    workspace = workspace_of(options)
    workspace = replace(workspace, folder=workspace.settings.runs_folder / "label_audit")
    experiment = replace(best_result(workspace.settings.profile).experiment, weights=workspace.start.weights, **RECIPE)
    if options.train:
        return print(compare(workspace, experiment, published_labels()).to_string())
    labels = audit(workspace, experiment)
    write_table(REFERENCE / "labels.csv.gz", labels)
    print(suspicion_counts(labels))


if __name__ == "__main__":
    call(main)
