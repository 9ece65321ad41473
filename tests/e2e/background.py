# SPDX-License-Identifier: MIT
"""A script that runs in the background of a test, in a session of its own."""

import os
import signal
import subprocess


class Background:
    """Its output goes to the files `out` and `err` in a directory. The end of the `with` block kills it if it still runs."""

    def __init__(self, command, env, directory):
        self.out_file, self.err_file = (directory / name for name in ("out", "err"))
        with open(self.out_file, "wb") as out, open(self.err_file, "wb") as err:
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
