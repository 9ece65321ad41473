# SPDX-License-Identifier: MIT
"""The stacks of the end-to-end tests, their fixtures and reports, for the tests of the clients."""

import importlib.util
import sys
from pathlib import Path

E2E = Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(E2E))
sys.path.insert(0, str(E2E.parents[1] / "scripts" / "clients" / "python"))

# By another name: this file is a conftest too.
_specification = importlib.util.spec_from_file_location("e2e_conftest", E2E / "conftest.py")
_module = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(_module)
globals().update({name: value for name, value in vars(_module).items() if not name.startswith("_")})
