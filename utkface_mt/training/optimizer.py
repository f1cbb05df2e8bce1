"""The optimisers, with TensorFlow's own kernel for the update, and how their learning rate changes."""

from ..util.backend import keras, tf

WARM_UP_SHARE = 0.1  # of all steps: the rate rises linearly before the cosine falls
PLATEAU_FACTOR = 0.3


class _OneKernel:
    """Updates a variable in one operation instead of Keras' dozen.

    The numbers are those of Keras' Adam (a test compares them). A step is hardly faster for it, but the graph of a
    network with 160 variables is built and compiled in two thirds of the time, which every training run pays.
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Moves `variable` by one step; called by Keras for each variable."""
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, variable.dtype),
        )


class Adam(_OneKernel, keras.optimizers.Adam):
    """Keras' Adam."""


class AdamW(_OneKernel, keras.optimizers.AdamW):
    """Keras' AdamW; the decay itself is left to Keras."""


def cosine_schedule(learning_rate: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """A linear warm-up to `learning_rate` over a tenth of all steps, then half a cosine down to zero."""
    warm_up = max(1, round(WARM_UP_SHARE * steps))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=learning_rate / 100,
        decay_steps=steps - warm_up,
        warmup_target=learning_rate,
        warmup_steps=warm_up,
    )


def build_optimizer(
    name: str, learning_rate: float, weight_decay: float = 0.0, scheduler: str = "constant", steps: int = 0
) -> keras.optimizers.Optimizer:
    """Builds `adam` (without weight decay) or `adamw` (biases and normalisation exempt), of which `Experiment` tells.

    The cosine schedule lives in the learning rate, over the `steps` (batches) of the whole training; `plateau_callback`
    does the plateau.
    """
    rate = cosine_schedule(learning_rate, steps) if scheduler == "cosine" else learning_rate
    if name == "adam":
        return Adam(rate)
    optimizer = AdamW(rate, weight_decay=weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def plateau_callback(patience: int) -> keras.callbacks.ReduceLROnPlateau:
    """Lowers the rate when the validation loss has not improved for half the patience of the early stop, in epochs."""
    return keras.callbacks.ReduceLROnPlateau("val_loss", PLATEAU_FACTOR, patience=max(1, patience // 2), min_lr=1e-7)
