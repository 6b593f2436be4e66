"""What the panel costs: steps per second of a panel that sends frames over those of `train()` alone.

    python -m pytest tests/bench/test_panel_throughput.py -s

Both train in the same Jupyter kernel and take turns, so that both see the same machine; this process plays the page
and takes what is sent. Goal: 0.9 or more.
"""

import ast
import statistics

from jupyter_client.manager import start_new_kernel

CODE = """
import threading, time
import torch
from gradlab import Recipe, train
from gradlab.live import explore

TURNS, STEPS = 12, 60
recipe = Recipe(steps=10**6)
panel = explore(recipe, max_steps=10**6, max_seconds=600.0, fps=20.0)
alone = train(recipe, panel._controls)

def make():  # in a thread of its own, like the panel's
    torch.set_num_threads(1)
    for _ in range(STEPS):
        next(alone)

def seconds(work):
    began = time.perf_counter()
    work()
    return STEPS / (time.perf_counter() - began)

def bare():
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()

bare(), panel.run(STEPS)
print([(seconds(bare), seconds(lambda: panel.run(STEPS))) for _ in range(TURNS)])
"""


def test_a_panel_costs_little():
    manager, client = start_new_kernel(kernel_name="python3")
    rates, frames = None, 0
    try:
        request = client.execute(CODE)
        while True:
            message = client.get_iopub_msg(timeout=300)
            kind, content = message["msg_type"], message["content"]
            frames += kind == "comm_msg"
            if kind == "error":
                raise AssertionError("\n".join(content["traceback"]))
            if kind == "stream" and content["name"] == "stdout":
                rates = ast.literal_eval(content["text"])
            ours = message["parent_header"].get("msg_id") == request
            if ours and kind == "status" and content["execution_state"] == "idle":
                break
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    ratio = statistics.median(panel / alone for alone, panel in rates)
    print(f"\na panel that sends runs at {ratio:.3f} of train()'s steps per second "
          f"(median of {len(rates)} turns; alone {statistics.median(alone for alone, _ in rates):.0f} steps/s; "
          f"{frames} frames)")
