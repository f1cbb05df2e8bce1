"""What importing TensorFlow through the package changes for the whole process."""

import platform
import subprocess
import sys

import pytest

import utkface_mt.util.backend  # noqa: F401


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the memory of another C library is left as it is")
def test_memory_that_a_step_frees_is_kept_for_the_next_one():
    """Pages taken from the system anew have to be cleared: a quarter of a training step at 224 pixels."""
    import resource  # which Windows has not

    size, faults = 2**26, []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        taken = bytearray(b"\1") * size
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
        del taken
    assert faults[-1] < size / 4096 / 100


def test_another_thread_imports_what_it_needs_while_tensorflow_comes():
    """Keras is not shown some packages, to be there sooner; a server may need them at that moment."""
    code = (
        "import threading, time\n"
        "thread = threading.Thread(target=lambda: __import__('utkface_mt.util.backend'))\n"
        "thread.start()\n"
        "while 'keras' not in __import__('sys').modules: time.sleep(0.001)\n"
        "import pandas, scipy.stats\n"
        "assert thread.is_alive()\n"
        "thread.join()\n"
        "print(pandas.Series([1]).sum())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_nothing_is_said_on_the_way_to_tensorflow_whichever_module_asks_for_it_first():
    code = "import utkface_mt.training.workers"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""
