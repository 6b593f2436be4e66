"""What is told of a kernel that raced, went past the end, waited in vain, or left elements out."""

from dataclasses import replace

from gradlab.exercises.kernels.playing import Played
from gradlab.exercises.mistakes import Diagnosis, say
from gradlab.exercises.trial import Trial

BY_THE_MACHINE = ("missing-barrier", "barrier-not-reached", "block-race", "reading-past-end", "wrong-tail")


def by_the_machine(mine: Trial, right: Trial) -> Diagnosis | None:
    """What the machine that runs kernels found wrong."""
    played: Played = mine.facts["played"]
    if played.error is None:
        return None
    told = _TELL[type(played.error).__name__](played.error)
    if told.id != "reading-past-end" or played.error.array == played.names[0]:
        return told
    # It is not the array that the threads share out, so their numbers are not what to look at.
    counted = "the threads of a block" if played.error.shared else "what your index runs over"
    return replace(told, experiment=f"Compare {counted} here with the size of {played.error.array}.")


def _race(error) -> Diagnosis:
    told = {"did_first": error.other_did, "did_second": error.did, "array": error.array, "index": error.index,
            "first_line": error.other_source, "second_line": error.source}
    if error.other_block == error.block:
        return say("missing-barrier", first=error.other, second=error.thread, **told)
    # The fence is missing where the ticket is right: a block that reads what another one wrote.
    unfenced = error.did == "read" and error.ticketed
    return say("block-race", "unfenced" if unfenced else "", first=error.other_block, second=error.block, **told)


def _past(error) -> Diagnosis:
    return say("reading-past-end", "" if error.did == "read" else "write", **error.facts)


def _missed(error) -> Diagnosis:
    if error.kind != "barrier":
        return replace(say("barrier-not-reached", "exchange", **error.facts),
                       experiment="Draw the 32 threads of the warp, and mark those that come to this line.")
    return say("barrier-not-reached", "" if error.ended else "elsewhere", **error.facts)


def _unwritten(error) -> Diagnosis:
    if error.shared:
        return say("wrong-tail", "unwritten", **error.facts)
    return Diagnosis(None, f"thread {error.thread} of block {error.block} used what stood in {error.array}"
                           f"[{error.index}] before anything was written there: memory on a GPU holds what the last "
                           f"program left", f"Print {error.array}[{error.index}] at the beginning of your kernel.")


def _endless(error) -> Diagnosis:
    return Diagnosis(None, f"your kernel was ended after {error.steps:,} steps; thread {error.thread} of block "
                           f"{error.block} was in `{error.source}`", "Look for a loop whose condition never becomes "
                           "false. Does it wait for another block? Blocks may run one after the other, and here they "
                           "do.")


_TELL = {"Race": _race, "PastTheEnd": _past, "BarrierMissed": _missed, "Unwritten": _unwritten, "Endless": _endless}


def by_itself(mine: Trial, right: Trial) -> Diagnosis | None:
    """Threads that meet, and have nothing that the others could read."""
    did = mine.facts["played"].counts
    if not did.barriers or did.shared_writes or did.shuffles or did.atomics:
        return None
    return Diagnosis(None, f"your blocks came to {did.barriers} {'barrier' if did.barriers == 1 else 'barriers'}, and "
                           "nothing was put into shared memory: a list, or what cuda.local.array makes, belongs to one "
                           "thread alone, and no other sees it", "Let thread 0 print what thread 1 has put there.")


def by_the_shares(mine: Trial, right: Trial) -> Diagnosis | None:
    """Elements that the result does not hold, or holds more than once."""
    played: Played = mine.facts["played"]
    found = played.shares
    if found is None or not found.any() or (found == 1).all():
        return None
    lost, more = (found == 0).nonzero()[0], (found > 1).nonzero()[0]
    array = played.names[0]
    if len(more):
        return say("wrong-tail", "twice", n_twice=len(more), n=len(found), array=array, index=int(more[0]),
                   times=int(found[more[0]]))
    return say("wrong-tail", n_lost=len(lost), n=len(found), array=array, index=int(lost[0]))
