"""Whatever a learner hands over, `check` answers with words, in time, and harms nothing."""

import functools
import operator
import sys
import threading
import time

import pytest
import torch

from gradlab import exercises

SECONDS = 0.4
NAMES = exercises.names()


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


@pytest.fixture(autouse=True)
def errors_in_finalizers_pass(monkeypatch):
    """A recursion without end, or the end of the time, may meet a finalizer, and its error reaches nobody."""
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)


@pytest.fixture(autouse=True)
def everything_stays_as_it_was(capsys):
    state = torch.get_rng_state()
    yield
    print("still here")
    assert capsys.readouterr() == ("still here\n", "")
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled() and torch.get_num_threads() == 1
    assert torch.equal(torch.get_rng_state(), state)


def answered(name, function):
    began, streams = time.monotonic(), (sys.stdout, sys.stderr, sys.stdin)
    verdict = exercises.get(name).check(function, seconds=SECONDS)
    assert time.monotonic() - began < 30
    assert (sys.stdout, sys.stderr, sys.stdin) == streams
    assert verdict.outcome in ("wrong", "error") and not verdict
    assert verdict.message and len(verdict.message) < 1000
    bundle = verdict._repr_mimebundle_()
    assert len(bundle["text/html"]) < 10_000 and len(bundle["text/plain"]) < 10_000
    return verdict


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", VALUES)
def test_any_value_is_answered(name, value):
    answered(name, lambda *arguments: VALUES[value]())


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_any_deed_is_answered(name, deed):
    answered(name, deed)


@pytest.mark.parametrize("given", NOT_TO_BE_CALLED)
def test_what_cannot_be_called_is_not_called(given):
    verdict = answered("warmup", NOT_TO_BE_CALLED[given]())
    assert verdict.outcome == "error" and "def lr_at(step, base_lr, warmup_steps)" in verdict.experiment


@pytest.mark.parametrize("given", TO_BE_CALLED)
def test_whatever_can_be_called_is_tried(given):
    answered("warmup", TO_BE_CALLED[given]())
