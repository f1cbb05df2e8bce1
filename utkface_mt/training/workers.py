"""One training run on several machines: who takes part, the model they share, and what they tell each other.

TensorFlow's `MultiWorkerMirroredStrategy` adds up the gradients. Its coordination service notices within seconds that
a worker is gone, and its key-value store carries the few words that the workers exchange besides: the first (rank 0)
says what is trained and when an epoch is over, the others follow. What a step computes is what one process would.
"""

import atexit
import contextlib
import functools
import importlib
import itertools
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..data.batches import COUNTED
from ..util.backend import keras, tf
from ..util.errors import UserError

context = importlib.import_module("tensorflow.python.eager.context")  # of its key-value store there is no public name
VARIABLE = "TF_CONFIG"  # where TensorFlow, and what starts it on a cluster, keep addresses and rank
JOIN_SECONDS = 600  # how long workers wait for each other before they give up
PACK_BYTES = 2**21  # gradients in a message: the first ones are on their way while the others are computed
PORT_SECONDS = 15  # how long the notebook before may take to give its port back
_orders = itertools.count()
_runs = itertools.count()


@dataclass(frozen=True)
class Cluster:
    """The workers by their addresses, HOST:PORT in the order of ranks, and which of them this process is."""

    addresses: tuple[str, ...]
    rank: int

    def name(self, rank: int) -> str:
        """A worker in words."""
        return f"Worker {rank} ({self.addresses[rank]})"


def name_workers(workers: str, rank: int) -> None:
    """Puts addresses (`HOST:PORT,HOST:PORT`) and rank where TensorFlow reads them; empty ones leave it as it is."""
    if workers:
        cluster = {"worker": [address.strip() for address in workers.split(",")]}
        os.environ[VARIABLE] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": rank}})


def read_cluster() -> Cluster:
    """Reads the cluster from `TF_CONFIG`, in which a `chief` comes before the `worker`s.

    Raises:
        UserError: if it is missing or makes no cluster.
    """
    told = os.environ.get(VARIABLE, "")
    try:
        jobs, task = (json.loads(told)[name] for name in ("cluster", "task"))
        addresses = (*jobs.get("chief", []), *jobs.get("worker", []))
        rank = int(task["index"]) + (len(jobs.get("chief", [])) if task["type"] == "worker" else 0)
        ports = [int(address.rpartition(":")[2]) for address in addresses]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"Training on several workers needs --workers HOST:PORT,HOST:PORT and --rank N, or {VARIABLE} as "
            f"TensorFlow's guides set it; {VARIABLE}={told!r} does not say who takes part."
        ) from error
    if len(set(addresses)) < max(2, len(addresses)) or not all(0 < port < 65536 for port in ports):
        raise UserError(f"workers={','.join(addresses)!r} should be two or more different addresses HOST:PORT.")
    if not 0 <= rank < len(addresses):
        raise UserError(f"rank={rank} is none of the {len(ports)} workers; the ranks go from 0 to {len(ports) - 1}.")
    return Cluster(addresses, rank)


def sharing() -> Cluster | None:
    """The cluster, inside the scope of its strategy; None anywhere else."""
    shared = isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)
    return read_cluster() if shared else None


@functools.cache
def join_workers() -> tf.distribute.Strategy:
    """Joins the cluster, once in a process and before TensorFlow has done anything else.

    Raises:
        UserError: if the port is taken, a worker does not come, or TensorFlow has worked already.
    """
    cluster = read_cluster()
    name_workers(",".join(cluster.addresses), cluster.rank)  # so that TensorFlow too counts a chief as worker 0
    if len(tf.config.list_physical_devices("GPU")) > 1:
        raise UserError("A worker has one GPU: start one for each of them, with CUDA_VISIBLE_DEVICES=0, 1, ...")
    port = cluster.addresses[cluster.rank].rpartition(":")[2]
    listening = _opened(socket.create_server, f":{port}", PORT_SECONDS)
    if not listening:
        raise UserError(
            f"Port {port}, that of {cluster.name(cluster.rank)}, is taken on this machine: stop who listens there, "
            "give this worker its own rank, or name another port in the commands of all workers."
        )
    with listening:
        _meet(cluster, listening)
    options = tf.distribute.experimental.CommunicationOptions(bytes_per_pack=PACK_BYTES)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    except RuntimeError as error:
        raise UserError(f"Workers are joined before anything else is done: restart the kernel ({error}).") from error
    strategy.extended.experimental_enable_get_next_as_optional = False  # all have as many batches: nobody need ask
    if cluster.rank == 0:
        atexit.register(lambda: tell(f"order/{next(_orders)}", ""))
    return strategy


def _meet(cluster: Cluster, listening: socket.socket) -> None:
    """Waits until all workers are there, the first one calling on the others: TensorFlow would wait without end."""
    call_on = functools.partial(socket.create_connection, timeout=5)  # a machine that drops it would be waited for long
    late = [] if cluster.rank else range(1, len(cluster.addresses))
    late = [rank for rank in late if not _opened(call_on, cluster.addresses[rank], JOIN_SECONDS)]
    if cluster.rank:
        listening.settimeout(JOIN_SECONDS)
        try:
            listening.accept()[0].close()
        except TimeoutError:
            late = [0]
    if late:
        names = " and ".join(map(cluster.name, late))
        raise UserError(f"{names} did not come within {JOIN_SECONDS:.0f} s: started, unfinished, and the port open?")


def _opened(open_socket: Callable[..., socket.socket], address: str, seconds: float) -> socket.socket | None:
    """A socket at an address HOST:PORT, as soon as it can be opened, or None after some seconds."""
    (host, _, port), ends = address.rpartition(":"), time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            return open_socket((host, int(port)))
        if time.monotonic() > ends:
            return None
        time.sleep(0.5)


def tell(key: str, text: str) -> None:
    """Says something to all workers, once."""
    context.context().set_config_key_value(f"utkface_mt/{key}", text)


def ask(key: str, seconds: float = 0) -> str:
    """What was or will be said under a key; waits for it, without end if `seconds` is 0."""
    return context.context().get_config_key_value(f"utkface_mt/{key}", int(1000 * seconds))


def hear(key: str, own: str) -> str:
    """What the first worker says under a key: called by all, each with what it would say."""
    if read_cluster().rank:
        return ask(key)
    tell(key, own)
    return own


def order(experiment: dict[str, Any]) -> None:
    """Tells the others what is trained next; they take it from `orders`."""
    tell(f"order/{next(_orders)}", json.dumps(experiment))


def orders() -> Iterator[dict[str, Any]]:
    """The experiments that the first worker has trained, one after the other, until its process ends."""
    with contextlib.suppress(tf.errors.UnavailableError):  # gone while nothing was trained: its notebook is over
        while told := ask(f"order/{next(_orders)}"):
            yield json.loads(told)


def introduce(identity: dict[str, Any]) -> None:
    """Makes sure that all workers are about to do the same: called by each with what it would do.

    Raises:
        UserError: if a worker differs in a field of `identity`.
    """
    cluster, problem = read_cluster(), ""
    own = {name: json.dumps(value) for name, value in {**identity, "list of workers": cluster.addresses}.items()}
    tell(f"identity/{cluster.rank}", json.dumps(own))
    for rank in range(1, len(cluster.addresses) if cluster.rank == 0 else 0):
        try:
            told = json.loads(ask(f"identity/{rank}", JOIN_SECONDS))
        except tf.errors.DeadlineExceededError as error:  # it has come, and is silent
            raise lost(rank) from error
        if differing := [name for name in own if told.get(name) != own[name]]:
            problem += f"{cluster.name(rank)} has another {' and another '.join(differing)} than worker 0. "
    if problem := hear("verdict", problem):
        raise UserError(f"{problem}Nothing was trained. Start all workers with the same command but for the rank.")


@contextlib.contextmanager
def naming_the_lost() -> Iterator[None]:
    """Turns TensorFlow's error about a worker that is gone into a sentence that names it."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        cluster = read_cluster()
        named = map(int, re.findall(r"/job:worker/(?:replica:0/)?task:(\d+)", str(error)))
        if not (others := [rank for rank in named if rank != cluster.rank]):  # it may name who tells first
            raise
        raise lost(others[-1]) from error


def lost(rank: int) -> UserError:
    """What the user is told when a worker is gone."""
    return UserError(
        f"{read_cluster().name(rank)} was lost. Start all workers again with the same commands: they go on after the "
        "last finished epoch."
    )


class InStep(keras.callbacks.Callback):
    """Starts and ends each epoch on all workers together; the last callback, so that the state is written by then.

    Without a cluster it does nothing.
    """

    def __init__(self, cluster: Cluster | None) -> None:
        """Takes the cluster that trains; each of its workers makes one for each training."""
        super().__init__()
        self.cluster, self._run, self._epoch = cluster, next(_runs) if cluster else 0, 0

    def start(self, epoch: int) -> None:
        """Compares the epoch to go on with.

        Raises:
            UserError: if the first worker has found another one in its folder.
        """
        self._epoch = epoch
        if self.cluster and (first := hear(f"{self._run}/start", str(epoch))) != str(epoch):
            raise UserError(
                f"This worker would go on with epoch {epoch + 1}, worker 0 with {int(first) + 1}: do all workers share "
                "the runs folder (--runs, on NFS or the like)?"
            )

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Names a worker that is lost; frees the others when an error, such as a pruned trial's, ends the first one."""
        try:
            with naming_the_lost():
                yield
        except BaseException as error:
            with contextlib.suppress(tf.errors.OpError):
                if self.cluster and self.cluster.rank == 0:
                    tell(f"{self._run}/{self._epoch}", "stop")
                if self.cluster and not isinstance(error, Exception):  # stopped by hand, perhaps within a step
                    context.context().report_error_to_cluster(tf.errors.CANCELLED, "A worker was interrupted")
            raise

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Waits for the first worker, and stops if it does."""
        if self.cluster and hear(f"{self._run}/{epoch}", "stop" if self.model.stop_training else ""):
            self.model.stop_training = True
        self._epoch = epoch + 1


class WorkerModel(keras.Model):
    """A functional model that `fit` can train under `MultiWorkerMirroredStrategy`, each worker with its share.

    Two repairs of Keras' trainer for TensorFlow (3.15.1, with TensorFlow 2.21; `tests/training/test_workers.py` fails
    when they are no longer needed), and steps that take filling faces, which count for nothing, out of the figures.
    """

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """First repair: to learn the shapes, Keras would reduce whole batches, which have no mean, over the workers."""
        if iterator is not None:
            _, _, batches = next(iter(iterator))
            here = self.distribute_strategy
            data_batch = keras.tree.map_structure(lambda v: here.experimental_local_results(v)[0], next(batches))
        super()._maybe_symbolic_build(data_batch=data_batch)

    def _make_function(self, step_function: Any) -> Any:
        """Second repair: Keras would reduce the logs of a step, which are scalars, along their first axis."""
        return tf.function(lambda batches: self.distribute_strategy.run(step_function, args=(batches.get_next(),)))

    def train_step(self, data: tuple) -> dict[str, tf.Tensor]:
        """A step with this worker's share; the optimiser adds up the gradients."""
        with tf.GradientTape() as tape:
            loss, logs = self._look_at(*data, training=True)
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return logs

    def test_step(self, data: tuple) -> dict[str, tf.Tensor]:
        """The same without learning."""
        return self._look_at(*data, training=False)[1]

    def _look_at(self, faces: tf.Tensor, targets: dict, weights: dict, training: bool) -> tuple[tf.Tensor, dict]:
        """This worker's part of the loss (all parts add up to the mean over the batch), and the logs so far."""
        answers = self(faces, training=training)
        loss = self.compute_loss(faces, targets, answers, {name: weights[name] for name in targets}, training)
        counted, size = weights[COUNTED], tf.cast(tf.shape(faces)[0], tf.float32)
        mean = loss * self.distribute_strategy.num_replicas_in_sync * size / tf.maximum(tf.reduce_sum(counted), 1e-6)
        self._loss_tracker.update_state(mean, sample_weight=tf.math.count_nonzero(counted))
        logs = self.compute_metrics(faces, targets, answers, dict.fromkeys(targets, tf.sign(counted)))
        means = tf.distribute.get_replica_context().all_reduce("MEAN", tf.stack(list(logs.values())))
        return loss, dict(zip(logs, tf.unstack(means), strict=True))
