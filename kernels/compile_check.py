"""Compile every kernel for a chip, without one: PTX by NVVM, machine code by ptxas, a listing by cuobjdump.

    python kernels/compile_check.py 90        # sm_90; prints a JSON object a kernel

Needs numba-cuda[cu13], nvidia-cuda-nvcc, nvidia-cuda-cuobjdump and nvidia-cuda-nvdisasm: no driver, no GPU.
One process a chip, for a device function once compiled is not compiled again for another.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent))
OPERATION = re.compile(r"\b((?:LDG|STG|LDL|STL|ATOMG|MEMBAR|SHFL|BAR|F2FP)[A-Z0-9_.]*)")


def tool(name: str) -> str | None:
    """Where a tool of the CUDA toolkit is: in a wheel, or on PATH."""
    nvidia = importlib.util.find_spec("nvidia")
    for root in nvidia.submodule_search_locations if nvidia else ():
        for found in Path(root).glob(f"*/bin/{name}*"):
            if found.stem == name:
                return str(found)
    return shutil.which(name)


def missing() -> str:
    """What is not installed, "" if nothing."""
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed"
    return next((f"{name} is not installed" for name in ("ptxas", "cuobjdump") if tool(name) is None), "")


def check(chip: int):
    """For each kernel a dictionary: registers a thread, bytes spilled, and how often each instruction occurs."""
    warnings.simplefilter("ignore")
    os.environ.pop("NUMBA_ENABLE_CUDASIM", None)  # before Numba is imported, or there is no compiler
    import numba.cuda.dispatcher
    from numba import cuda

    capability = divmod(chip, 10)
    # Device functions ask the driver which chip they are compiled for; it is not there, so somebody else answers.
    numba.cuda.dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    from gradlab_kernels.cuda import instructions
    from gradlab_kernels.cuda.kernels import MAX_REGISTERS, SIGNATURES

    instructions.before_sm_80 = chip < 80
    for kernel, signature in SIGNATURES.items():
        ptx, _ = cuda.compile(kernel, signature, cc=capability, device=False, abi="numba", output="ptx")
        yield {"kernel": kernel.__name__, "chip": chip, **assemble(ptx, chip, MAX_REGISTERS)}


def assemble(ptx: str, chip: int, registers: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        source, code = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        source.write_text(ptx)
        command = [tool("ptxas"), f"-arch=sm_{chip}", f"-maxrregcount={registers}", "-v", str(source), "-o", str(code)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        listing = subprocess.run(
            [tool("cuobjdump"), "--dump-sass", str(code)], capture_output=True, text=True, check=True
        ).stdout
    return {
        "registers": int(re.search(r"Used (\d+) registers", told)[1]),
        "spilled": sum(map(int, re.findall(r"(\d+) bytes spill", told))),
        "instructions": Counter(found.removesuffix(".SYS") for found in OPERATION.findall(listing)),
    }


if __name__ == "__main__":
    for facts in check(int(sys.argv[1])):
        print(json.dumps(facts), flush=True)
