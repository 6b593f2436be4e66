"""Things that nobody means to hand over: values, deeds, and what is no function."""

import functools
import operator
import sys
import threading
import time

import torch

from gradlab import exercises


class Nasty:
    """Whatever is asked of it, it raises."""

    def __getattribute__(self, name):
        raise RuntimeError(f"no {name}")

    def __float__(self):
        raise RuntimeError("no float")

    __eq__ = __bool__ = __len__ = __iter__ = __repr__ = __str__ = __hash__ = __float__


class Endless(float):
    """A number whose use never ends."""

    def __float__(self):
        while True:
            pass

    __repr__ = __eq__ = __lt__ = __mul__ = __float__
    __hash__ = float.__hash__


class Huge:
    def __repr__(self):
        return "x" * 10**7


class Callable:
    def __call__(self, *arguments):
        return 1.0


class NastyFunction(Nasty):
    def __call__(self, *arguments):
        return 1.0


class Unsigned:
    """Something to call whose signature cannot be read."""

    @property
    def __signature__(self):
        raise RuntimeError("no signature")

    def __call__(self, *arguments):
        return 1.0


def loop(*arguments):
    while True:
        pass


def catches_everything(*arguments):
    while True:
        try:
            time.sleep(0)
        except BaseException:
            pass


def sleeps(*arguments):
    time.sleep(1000)


def prints_for_ever(*arguments):
    while True:
        print("more " * 100)


def prints_ten_million_lines(*arguments):
    for _ in range(10_000_000):
        print("line")


def leaves(*arguments):
    sys.exit("bye")


def interrupts(*arguments):
    raise KeyboardInterrupt


def recurses(*arguments):
    return recurses(*arguments)


def out_of_memory(*arguments):
    raise MemoryError


def own_error(*arguments):
    class Odd(BaseException):
        def __str__(self):
            raise ValueError

    raise Odd


def group(*arguments):
    raise BaseExceptionGroup("many", [ValueError(1), KeyboardInterrupt()])


def deletes(first, *arguments):
    if hasattr(first, "clear"):
        first.clear()
    return 1.0


def empties_tensors(first, *arguments):
    for tensor in first if isinstance(first, list) else ():
        if isinstance(tensor, torch.Tensor):
            tensor.data = torch.empty(0)
        else:
            first[0] = "gone"
    return 1.0


def puts_in_nonsense(first, *arguments):
    if isinstance(first, list):
        first[:] = [Nasty(), None, "text"]
    return 1.0


def upsets_torch(*arguments):
    torch.set_default_dtype(torch.float16)
    torch.manual_seed(1)
    torch.set_grad_enabled(False)
    torch.set_num_threads(3)
    return 1.0


def closes_the_screen(*arguments):
    sys.stdout.close()
    sys.stderr = None
    return 1.0


def starts_a_thread(*arguments):
    threading.Thread(target=time.sleep, args=(0.01,), daemon=True).start()
    return 1.0


def checks_itself(*arguments):
    return exercises.get("warmup").check(checks_itself)


def yields(a=0, b=0, c=0):
    yield 1.0


async def later(a=0, b=0, c=0):
    return 1.0


def too_few():
    return 1.0


def too_many(a, b, c, d):
    return 1.0


def by_name(*, step, base_lr):
    return 1.0


# By name and made when they are used: pytest itself stumbles over some.
VALUES = {
    "None": lambda: None, "text": lambda: "seven", "bytes": lambda: b"7", "empty list": lambda: [], "tuple": lambda: (),
    "dict": lambda: {}, "two numbers": lambda: [1.0, 2.0], "complex": lambda: 1j, "True": lambda: True,
    "class": lambda: object, "nasty": Nasty, "endless": lambda: Endless(1.0), "huge": Huge, "nan": lambda: float("nan"),
    "tensor": lambda: torch.ones(3), "complex tensor": lambda: torch.tensor(1j), "no entries": lambda: torch.empty(0),
    "true tensor": lambda: torch.tensor(True), "with gradient": lambda: torch.tensor([[2.0]], requires_grad=True),
    "meta": lambda: torch.empty(1, device="meta"), "sparse": lambda: torch.ones(3).to_sparse(),
    "generator": lambda: (n for n in range(3)), "builtin": lambda: open, "NotImplemented": lambda: NotImplemented,
    "large integer": lambda: 10**400, "long text": lambda: "x" * 10**7, "long list": lambda: [0] * 10**6,
    "list of tensors": lambda: [torch.ones(2)], "list of nasty": lambda: [Nasty()],
}
DEEDS = (loop, catches_everything, sleeps, prints_for_ever, prints_ten_million_lines, leaves, interrupts, recurses,
         out_of_memory, own_error, group, deletes, empties_tensors, puts_in_nonsense, upsets_torch, closes_the_screen,
         starts_a_thread, checks_itself)
NOT_TO_BE_CALLED = {
    "None": lambda: None, "number": lambda: 7.0, "text": lambda: "lr_at", "list": list, "nasty": Nasty,
    "tensor": lambda: torch.ones(2), "class": lambda: Callable, "builtin class": lambda: int,
    "nasty class": lambda: Nasty, "generator": lambda: yields, "async": lambda: later, "too few": lambda: too_few,
    "too many": lambda: too_many, "by name": lambda: by_name,
}
TO_BE_CALLED = {
    "object": Callable, "nasty": NastyFunction, "unsigned": Unsigned, "max": lambda: max, "print": lambda: print,
    "partial": lambda: functools.partial(min, 1.0), "lambda": lambda: lambda *a: 1.0, "relu": lambda: torch.relu,
    "partial loop": lambda: functools.partial(loop, 1), "fromkeys": lambda: dict.fromkeys,
    "itemgetter": lambda: operator.itemgetter(1),
    "deep partial": lambda: functools.reduce(lambda f, _: functools.partial(f), range(50), loop),
}
