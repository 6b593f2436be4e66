"""Standing before torch's functions while anyone records, and leaving them as they were afterwards.

One registry serves all recorders. A function is replaced when the first recorder that needs it begins, and put back
when the last one ends, whatever the order of beginnings and ends. Where somebody else has meanwhile put a function of
their own on top, that stays, and the one below it only passes calls on from then.

An interrupt (Ctrl-C) may arrive between any two lines. So what is to be undone is noted before it is done, undoing may
be repeated, and what is left over all the same is put back when the next recorder begins.
"""

import functools
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol
from weakref import ref

import torch
from torch import nn
from torch.optim import optimizer as optimizers


class Call:
    """A call that is being observed. Observers may replace `args`, by a list for a generator, say."""

    __slots__ = ("args", "kwargs", "name")

    def __init__(self, name: str, args: tuple, kwargs: dict):
        self.name, self.args, self.kwargs = name, args, kwargs


class Observer(Protocol):
    """Sees calls of a function.

    `opaque`: the patched functions that it calls in turn are its own business. `in_updates`: whether it wants to see
    calls that an optimizer makes while it updates.
    """

    opaque: bool
    in_updates: bool

    def before(self, recorder, call: Call) -> Any:
        """What `after` needs to know, or None where the call does not concern this recorder."""

    def after(self, recorder, call: Call, noted: Any, result: Any, error: BaseException | None) -> None: ...


class Patch(NamedTuple):
    """The function `owner.name` is to be seen by `observer`."""

    owner: Any
    name: str
    observer: Observer


class Here(threading.local):
    """What this thread is in the middle of."""

    inside = False  # a function whose inner calls are its own business
    updating = False  # an optimizer's step, without a closure
    scaling: tuple = ()  # calls of `scaler.step`
    forward: tuple = ()  # the recorders whose model runs
    norm_type = 2.0  # of the last norm that the loop had torch measure

    def __init__(self):
        self.thread = threading.get_ident()

    def reset(self) -> None:
        """In the middle of nothing, as while nobody records: a call that was interrupted may have left its mark."""
        self.inside = self.updating = False
        self.scaling = self.forward = ()


here = Here()
_lock = threading.RLock()
_recording: tuple = ()
_owners: dict[int, ref] = {}  # by id(recorder): the `record` that is to end it
_installed: dict[tuple[int, str], "_Installed"] = {}
_hooks: tuple[Callable, ...] = ()
_handles: list = []  # of those hooks
_MISSING = object()


def start(recorder, owner, patches: Iterable[Patch], hooks: tuple[Callable, Callable]) -> None:
    """Let a recorder see calls until `owner` stops it; `hooks` are run before and after the step of every optimizer."""
    global _recording, _hooks
    with _lock:
        for abandoned in [other for other in _recording if _owners[id(other)]() is None]:
            stop(abandoned)  # an interrupt met the very call that was to end it
        _sweep()
        if not _recording:
            here.reset()
        _owners[id(recorder)] = ref(owner)
        _recording += (recorder,)
        for patch in patches:
            key = (id(patch.owner), patch.name)
            if key not in _installed:
                _installed[key] = _Installed(patch)
            _installed[key].users.append(recorder)
            _installed[key].install()
        if not _hooks:
            _hooks = hooks
            _handles.append(optimizers.register_optimizer_step_pre_hook(hooks[0]))
            _handles.append(optimizers.register_optimizer_step_post_hook(hooks[1]))


def stop(recorder) -> None:
    """The recorder sees nothing more; what nobody needs any longer is put back."""
    global _recording
    with _lock:
        _recording = tuple(other for other in _recording if other is not recorder)
        _sweep()
        _owners.pop(id(recorder), None)


def _sweep() -> None:
    """Put back what nobody needs."""
    global _hooks
    for key, installed in reversed(list(_installed.items())):
        installed.users = [user for user in installed.users if any(user is recorder for recorder in _recording)]
        if not installed.users:
            installed.remove()
            del _installed[key]
    if _hooks and not _recording:
        while _handles:
            _handles[-1].remove()
            del _handles[-1]
        for name in "_global_optimizer_pre_hooks", "_global_optimizer_post_hooks":
            registered = getattr(optimizers, name, {})  # a registration that was interrupted left no handle
            for key in [key for key, hook in registered.items() if hook in _hooks]:
                del registered[key]
        _hooks = ()


def recording() -> tuple:
    """The recorders at work."""
    return _recording


class _Installed:
    """A function that is replaced from `install` to `remove`."""

    def __init__(self, patch: Patch):
        self.owner, self.name, self.users = patch.owner, patch.name, []
        self.found = vars(patch.owner).get(patch.name, _MISSING)  # missing where a class inherits it
        self.live, self.installed = True, False
        if patch.name == "__call__" and isinstance(patch.owner, type) and issubclass(patch.owner, nn.Module):
            original = _inherited(patch.owner) if self.found is _MISSING else self.found
            self.stand_in = _not_compiled(self._stand_in(original, patch.observer), original)
        else:
            self.stand_in = self._stand_in(getattr(patch.owner, patch.name), patch.observer)

    def install(self) -> None:
        if not self.installed:
            self.installed = True
            setattr(self.owner, self.name, self.stand_in)

    def remove(self) -> None:
        self.live = False
        if vars(self.owner).get(self.name) is not self.stand_in:
            return  # somebody else's function is on top of it
        if self.found is _MISSING:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, self.found)

    def _stand_in(self, original: Callable, observer: Observer) -> Callable:
        between = not observer.in_updates

        @functools.wraps(original)
        def stand_in(*args, **kwargs):
            if here.inside or (between and here.updating) or not self.live:
                return original(*args, **kwargs)
            call = Call(self.name, args, kwargs)
            notes = []
            for recorder in _recording:  # no comprehension: `caller` counts calls, and older Pythons call those
                noted = recorder.guarded(observer.before, call)
                if noted is not None:
                    notes.append((recorder, noted))
            if not notes:
                return original(*call.args, **call.kwargs)
            result = error = None
            try:
                here.inside = observer.opaque
                result = original(*call.args, **call.kwargs)
                return result
            except BaseException as raised:
                error = raised
                raise
            finally:
                here.inside = False
                for recorder, noted in notes:
                    recorder.guarded(observer.after, call, noted, result, error)
                del error  # it holds this frame, and this frame it

        return stand_in


def _inherited(kind: type[nn.Module]) -> Callable:
    """The `__call__` that a class inherits, looked up each time: torch.fx puts its own in the place for a while."""
    @functools.wraps(nn.Module.__call__)
    def inherited(module, *args, **kwargs):
        return super(kind, module).__call__(*args, **kwargs)

    return inherited


def _not_compiled(stand_in: Callable, original: Callable) -> Callable:
    """A stand-in that torch.compile passes by: there is nothing in it to compile."""
    @functools.wraps(original)
    def call(*args, **kwargs):
        return (original if torch.compiler.is_compiling() else stand_in)(*args, **kwargs)

    return call
