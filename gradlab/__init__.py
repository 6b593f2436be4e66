"""gradlab: break and mend the training of a real transformer, live."""

from gradlab import cases as cases
from gradlab import exercises as exercises
from gradlab import ledger as ledger
from gradlab import pitfalls as pitfalls
from gradlab import plot as plot
from gradlab.check import check as check
from gradlab.check import claim as claim
from gradlab.clip import ClipByGlobalNorm as ClipByGlobalNorm
from gradlab.clip import ClipByGroupNorm as ClipByGroupNorm
from gradlab.clip import ClipByValue as ClipByValue
from gradlab.clip import ClipResult as ClipResult
from gradlab.clip import NonFiniteGradientError as NonFiniteGradientError
from gradlab.clip import global_norm as global_norm
from gradlab.history import History as History
from gradlab.history import Step as Step
from gradlab.live import Controls as Controls
from gradlab.live import explore as explore
from gradlab.live import slide as slide
from gradlab.predict import predict as predict
from gradlab.predict import recall as recall
from gradlab.recipe import Recipe as Recipe
from gradlab.recipe import RecipeError as RecipeError
from gradlab.run import run as run
from gradlab.run import run_seeds as run_seeds
from gradlab.train import train as train
