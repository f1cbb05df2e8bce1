"""The optimiser and how its learning rate changes."""

from ..backend import keras
from ..config import Experiment
from .optimizers import Adam, AdamW

WARM_UP_SHARE = 0.1  # of all steps: the rate rises linearly before the cosine falls
PLATEAU_FACTOR = 0.3


def build_optimizer(experiment: Experiment, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Builds the optimiser of an experiment; the cosine schedule lives in its learning rate.

    Args:
        experiment: says which optimiser, rate, schedule and decay.
        steps_per_epoch: batches in an epoch.
    """
    rate = experiment.learning_rate
    if experiment.scheduler == "cosine":
        steps = experiment.epochs * steps_per_epoch
        warm_up = max(1, round(WARM_UP_SHARE * steps))
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=rate / 100, decay_steps=steps - warm_up, warmup_target=rate, warmup_steps=warm_up
        )
    if experiment.optimizer == "adam":
        return Adam(rate)
    decay = experiment.weight_decay
    if experiment.optimizer == "adamw":
        optimizer = AdamW(rate, weight_decay=decay)
    else:
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def plateau_callback(experiment: Experiment) -> keras.callbacks.ReduceLROnPlateau:
    """Lowers the rate when the validation loss has not improved for half the patience of the early stop."""
    return keras.callbacks.ReduceLROnPlateau(
        monitor="val_loss", factor=PLATEAU_FACTOR, patience=max(1, experiment.patience // 2), min_lr=1e-7
    )
