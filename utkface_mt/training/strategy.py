"""Training on one device, on all devices of a machine, or on several machines."""

from ..config import STRATEGIES
from ..util.backend import tf
from ..util.errors import UserError
from .workers import join_workers


def get_strategy(name: str) -> tf.distribute.Strategy:
    """Chooses how training is spread over devices.

    `mirrored` copies the network to every GPU of this machine (without any, to every logical processor that TensorFlow
    was told of) and divides each batch between them; `auto` does so if there are several GPUs and uses one device
    otherwise; `multiworker` joins the processes that `TF_CONFIG` names.

    Raises:
        UserError: if there is no strategy of that name, or the workers cannot be joined.
    """
    if name not in STRATEGIES:
        raise UserError(f"strategy={name!r} is unknown; choose one of {', '.join(STRATEGIES)}.")
    if name == "multiworker":
        return join_workers()
    gpus = tf.config.list_logical_devices("GPU")
    if name == "auto" and len(gpus) < 2:
        return tf.distribute.get_strategy()
    devices = gpus or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        return tf.distribute.OneDeviceStrategy(devices[0].name)
    return tf.distribute.MirroredStrategy([device.name for device in devices])
