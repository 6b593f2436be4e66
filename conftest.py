"""What every test run of this checkout shares, `pytest --nbval labs` included."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent

# A progress bar is text that differs on every run, and nbval compares text.
os.environ.setdefault("GRADLAB_PROGRESS", "off")

# Notebook kernels are processes of their own: they see this variable, and not pytest's sys.path. Without it
# they would test whichever gradlab happens to be installed.
SOURCES = [str(ROOT), str(ROOT / "kernels")]
os.environ["PYTHONPATH"] = os.pathsep.join([*SOURCES, *filter(None, [os.environ.get("PYTHONPATH")])])

# The tools are scripts and no package; tests import them by their file name. gradlab_kernels lies in kernels/.
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "kernels")]
