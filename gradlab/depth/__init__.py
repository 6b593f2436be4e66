"""Depth: what becomes of the gradient on its way back through a deep network, and how to look at it.

    from gradlab import depth

    depth.profiles({"ReLU, He": depth.plain_profile(20, activation="relu", init="he")})
"""

from gradlab.depth.chart import profiles as profiles
from gradlab.depth.cliff import Descent as Descent
from gradlab.depth.cliff import Landscape as Landscape
from gradlab.depth.cliff import cost_and_gradient as cost_and_gradient
from gradlab.depth.cliff import descend as descend
from gradlab.depth.cliff import landscape as landscape
from gradlab.depth.cliff_chart import cliff_picture as cliff_picture
from gradlab.depth.plain import PlainNet as PlainNet
from gradlab.depth.plain import plain_profile as plain_profile
from gradlab.depth.profile import Profile as Profile
from gradlab.depth.profile import typical as typical
from gradlab.depth.profile import weight_norms as weight_norms
from gradlab.depth.recurrent import VanillaRNN as VanillaRNN
from gradlab.depth.recurrent import recurrent_profile as recurrent_profile
from gradlab.depth.residual import ResidualStack as ResidualStack
from gradlab.depth.residual import residual_profile as residual_profile
from gradlab.depth.transformer import last_block_gradient as last_block_gradient
from gradlab.depth.transformer import transformer_profile as transformer_profile
