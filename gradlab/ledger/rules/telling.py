"""How a rule puts what it found into the catalogue's words."""

from gradlab import pitfalls
from gradlab.ledger.events import Event
from gradlab.ledger.finding import Finding


def told(pitfall: str, *events: Event, variant: str = "", level: str | None = None, **evidence) -> Finding:
    """A Finding of a pitfall, shown at `events`; its `level` is the catalogue's unless given."""
    entry = pitfalls.get(pitfall)
    return Finding(pitfall=pitfall, variant=variant, level=level or entry.level,
                   message=entry.say(variant, **evidence), experiment=entry.experiment, evidence=evidence,
                   events=tuple(event.index for event in events), where=events[-1].where)
