"""What is said of machine and versions, and that chatter past Python goes where it should."""

import os
import socket
from pathlib import Path

from utkface_mt.util.runtime import describe_machine, library_versions, stderr_to, version_line


def test_what_is_written_past_python_goes_to_the_file_and_back_to_the_screen_afterwards(tmp_path: Path, capfd):
    with stderr_to(tmp_path / "log"):
        os.write(2, b"chatter\n")
    os.write(2, b"an error\n")
    assert (tmp_path / "log").read_text() == "chatter\n"
    assert capfd.readouterr().err == "an error\n"


def test_versions_are_in_one_line_and_the_machine_stays_unnamed():
    assert {"python", "utkface_mt", "tensorflow", "keras", "numpy"} <= set(library_versions())
    assert "\n" not in version_line()
    assert "cores" in describe_machine()
    assert socket.gethostname() not in describe_machine()
