"""gradlab.predict: say what you expect before you look, and recall it afterwards."""

from gradlab.predict.predict import predict as predict
from gradlab.predict.prediction import Prediction as Prediction
from gradlab.predict.recall import Question as Question
from gradlab.predict.recall import recall as recall
