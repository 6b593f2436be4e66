"""A ledger of what happens to gradients, written while a training loop runs, without the loop's cooperation."""

from gradlab.ledger.events import KINDS as KINDS
from gradlab.ledger.events import Backward as Backward
from gradlab.ledger.events import Clip as Clip
from gradlab.ledger.events import Edit as Edit
from gradlab.ledger.events import Event as Event
from gradlab.ledger.events import Gradients as Gradients
from gradlab.ledger.events import Measure as Measure
from gradlab.ledger.events import Provenance as Provenance
from gradlab.ledger.events import ScalerUpdate as ScalerUpdate
from gradlab.ledger.events import Schedule as Schedule
from gradlab.ledger.events import Skip as Skip
from gradlab.ledger.events import Step as Step
from gradlab.ledger.events import Unscale as Unscale
from gradlab.ledger.events import Where as Where
from gradlab.ledger.events import ZeroGrad as ZeroGrad
from gradlab.ledger.finding import Finding as Finding
from gradlab.ledger.ledger import Ledger as Ledger
from gradlab.ledger.record import record as record
