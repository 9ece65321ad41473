# SPDX-License-Identifier: MIT
"""An nginx of a test's own next to a stack, with a configuration that the test writes: a site, or a proxy in front of one."""

import os
import shutil
import subprocess
from pathlib import Path

from ports import spare_port
from stack import Face
from waits import eventually

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


class OwnNginx(Face):
    """nginx in a stack's directory, where the stack's copies of nginx/*.conf are, on a port of its own.

    `servers` is the text of its http block, with PORT for its port.
    """

    def __init__(self, stack, name, servers):
        super().__init__(spare_port())
        self.log = stack.dir / "log" / f"{name}.log"
        temporary = "".join(f"    {kind}_temp_path tmp/{name}.{kind};\n" for kind in ("client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        (stack.dir / "nginx" / f"{name}.conf").write_text(
            f"daemon off;\npid run/{name}.pid;\nworker_processes 1;\nevents {{ }}\nhttp {{\n    access_log off;\n{temporary}{servers.replace('PORT', str(self.port))}\n}}\n")
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        # Its messages go to a file, which can be read when it did not start.
        self.process = subprocess.Popen([NGINX, "-p", "./", "-e", f"log/{name}.log", "-c", f"nginx/{name}.conf", *user], cwd=stack.dir,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self.answers, f"{name} answers")

    def answers(self):
        assert self.process.poll() is None, f"nginx has ended: {self.log.read_text()}"
        try:
            self.connect().close()
        except ConnectionError:
            return False
        return Path(f"/proc/{self.process.pid}").exists()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(15)
