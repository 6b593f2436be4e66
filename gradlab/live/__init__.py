"""gradlab.live: what moves. A panel with which a learner steers a run while it trains."""

from gradlab.live.controls import Controls as Controls
from gradlab.live.explore import explore as explore
from gradlab.live.panel import Panel as Panel
from gradlab.live.slide import Slide as Slide
from gradlab.live.slide import slide as slide
from gradlab.live.still import still_figure as still_figure
from gradlab.live.still import still_png as still_png
from gradlab.live.worker import Worker as Worker
from gradlab.live.worker import live_workers as live_workers
