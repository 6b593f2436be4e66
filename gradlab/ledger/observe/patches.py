"""Standing before torch's functions while anyone records, and leaving them as they were afterwards.

One registry serves all recorders. A function is replaced when the first recorder that needs it begins, and put back
when the last one ends, whatever the order of beginnings and ends. Where somebody else has meanwhile put a function of
their own on top, that stays, and the one below it only passes calls on from then.
"""

import functools
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook


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


here = Here()
_lock = threading.RLock()
_recording: tuple = ()
_installed: dict[tuple[int, str], "_Installed"] = {}
_hooks: list = []
_MISSING = object()


def start(recorder, patches: Iterable[Patch], hooks: tuple[Callable, Callable]) -> None:
    """Let a recorder see calls; `hooks` are run before and after the step of every optimizer."""
    global _recording
    with _lock:
        for patch in patches:
            key = (id(patch.owner), patch.name)
            if key not in _installed:
                _installed[key] = _Installed(patch)
            _installed[key].users.append(recorder)
        if not _recording:
            _hooks.append(register_optimizer_step_pre_hook(hooks[0]))
            _hooks.append(register_optimizer_step_post_hook(hooks[1]))
        _recording += (recorder,)


def stop(recorder) -> None:
    """The recorder sees nothing more; what nobody needs any longer is put back."""
    global _recording
    with _lock:
        _recording = tuple(other for other in _recording if other is not recorder)
        for key, installed in reversed(list(_installed.items())):
            installed.users = [user for user in installed.users if user is not recorder]
            if not installed.users:
                installed.remove()
                del _installed[key]
        if not _recording:
            while _hooks:
                _hooks.pop().remove()


def recording() -> tuple:
    """The recorders at work."""
    return _recording


class _Installed:
    """A function that was replaced."""

    def __init__(self, patch: Patch):
        self.owner, self.name, self.users = patch.owner, patch.name, []
        self.found = vars(patch.owner).get(patch.name, _MISSING)  # missing where a class inherits it
        self.live = True
        self.stand_in = self._stand_in(getattr(patch.owner, patch.name), patch.observer)
        setattr(patch.owner, patch.name, self.stand_in)

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
            here.inside = observer.opaque
            try:
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
