"""Mistakes with the size of first weights, with gradients that are zero by construction, and with steps left out."""

from gradlab.pitfalls.pitfall import Pitfall

SECTION = "depth"

DEPTH = (
    Pitfall(
        id="wrong-init-scale",
        name="First weights of the wrong size",
        section=SECTION,
        belief="Small random numbers will do; or a factor of two in a formula cannot matter.",
        happens="Each layer multiplies the mean square of what passes by fan_in times the variance of its weights, and "
                "ReLU halves it. Without the 2 that makes up for ReLU a millionth is left after 20 layers. In plain "
                "ReLU nets of 20 layers the gradient of the first was a million times smaller than that of the last "
                "with torch's default weights, and within a factor of 4 of it with a variance of 2/fan_in.",
        told_by=("value",),
        told_apart="The standard deviation of the weights is off by a factor that only one slip gives: the other fan, "
                   "the variance for its root, no gain, the bound of the uniform distribution for its standard "
                   "deviation. A check stays silent for layers with a norm or a skip connection around them, which "
                   "forgive much.",
        messages={
            "": "Your weights have a standard deviation of {std}, {ratio} times the right one: each layer multiplies "
                "the mean square of what passes by {factor}.",
            "fan-out": "Your weights have a standard deviation of {std}, which goes by the {fan_out} outputs; each sum "
                       "has {fan_in} terms, and a layer multiplies the mean square by {factor}.",
            "average": "Your weights have a standard deviation of {std}, which goes by the mean of {fan_in} inputs and "
                       "{fan_out} outputs; each sum has {fan_in} terms, and a layer multiplies the mean square by "
                       "{factor}.",
            "variance": "Your weights have a standard deviation of {std}. That is the variance of the right ones, "
                        "which have a standard deviation of {std_right}.",
            "no-gain": "Your weights have a standard deviation of {std}, and ReLU sets half of what it is given to 0: "
                       "the mean square shrinks to {after} within 20 layers.",
            "gain-everywhere": "Your weights have a standard deviation of {std} where no ReLU follows: the mean square "
                               "grows {after} times within 20 layers.",
            "gain-not-rooted": "Your weights have a standard deviation of {std}: the gain of 2 belongs to the "
                               "variance, and the mean square grows {after} times within 20 layers.",
            "bound-is-std": "Your uniform weights reach out to {bound}, and their standard deviation is {std}; "
                            "{std_right} was to be the standard deviation.",
            "bound-too-wide": "Your uniform weights reach out to {bound}, and their standard deviation is {std}: "
                              "{ratio} times the right one.",
        },
        experiment="Print the mean square of the activations after each of 20 such layers.",
        threads=("mlverse/torch#555", "LaurentMazare/tch-rs#573", "denizyuret/Knet.jl#311"),
        lab="05_vanishing_exploding",
        level=None,
    ),
    Pitfall(
        id="structural-zero",
        name="A gradient that is zero by construction, taken for a vanishing one",
        section=SECTION,
        belief="Every parameter has a gradient, and the smallest of them shows whether gradients vanish.",
        happens="The bias of attention's keys shifts all scores of a query by the same amount, and softmax takes that "
                "out again: its gradient is 0, beside 4.5 for the queries' bias and 24.5 for the values'. The same "
                "goes for a convolution's bias before a batch norm: 1e-5 beside 291 for its weights. What is measured "
                "there is rounding. A frozen layer has no gradient at all, which is not a gradient of 0.",
        told_by=("value", "set"),
        told_apart="One parameter's gradient lies many orders below those of its own layer. Where gradients vanish, "
                   "whole layers are small together and smaller the further from the loss. A check stays silent for "
                   "biases, for frozen and unused parameters, and for a branch whose last map begins as 0.",
        messages={
            "": "The smallest gradient, {norm}, belongs to {name}; the others of its layer have norm {norm_layer}.",
            "bias": "The norm of layer {layer} came out as {norm}, and that of its matrices alone is {norm_true}: "
                    "biases and scales are in yours.",
            "none-as-zero": "Layer {layer} is frozen: it has no gradient, and a norm of {norm} stands in its place.",
        },
        experiment="Print the gradient norm of each parameter of one attention layer, biases included.",
        threads=("microsoft/unilm#510", "microsoft/Swin-Transformer#260"),
        lab="05_vanishing_exploding",
        level=None,
    ),
    Pitfall(
        id="nonfinite-unseen",
        name="A check that looks for inf and NaN in the wrong place",
        section=SECTION,
        belief="If the loss is a number, so is its gradient.",
        happens="The square root of 0 is 0 and its slope is infinite: the loss is finite, the gradient is not. One "
                "batch of the first thread had loss 1.23 and a NaN norm. A look for NaN alone lets inf pass, and a "
                "look after the step comes too late.",
        told_by=("value", "order"),
        told_apart="The weights turn NaN although something was checked. With no check at all it is a clip that is "
                   "meant to cure. A check stays silent where a loss scaler looks at the gradients by itself.",
        messages={
            "": "Update {i} was made with a gradient whose norm is {norm}: {n_bad} of {n} weights {n_bad:is|are} not "
                "finite any more.",
            "loss-only": "The loss of batch {i} was {loss} and its gradient had norm {norm}: {n_bad} of {n} weights "
                         "{n_bad:is|are} not finite any more.",
            "nan-only": "The gradient of batch {i} had norm {norm}, which is no NaN: {n_bad} of {n} weights "
                        "{n_bad:is|are} not finite any more.",
            "after-step": "You reported batch {i} as left out, and {n_bad} of {n} weights {n_bad:is|are} not finite "
                          "any more: the update had been made.",
            "one-tensor": "The gradient of batch {i} had norm {norm}, and the first parameter's part of it was finite: "
                          "{n_bad} of {n} weights {n_bad:is|are} not finite any more.",
        },
        experiment="Print the loss and the gradient of torch.sqrt(x) at x = 0.",
        threads=("ml-explore/mlx-lm#1658", "epfLLM/Megatron-LLM#33", "pyro-ppl/numpyro#956"),
        lab="05_vanishing_exploding",
        level=None,
    ),
    Pitfall(
        id="zeroed-not-skipped",
        name="A step with zeros in place of a step left out",
        section=SECTION,
        belief="A gradient of zero moves nothing, so setting it to zero leaves the step out.",
        happens="The optimizer steps all the same: momentum carries the weights on, weight decay shrinks them, and "
                "averages of the past lose a share to a gradient that never was. With SGD, momentum 0.9 and a learning "
                "rate of 1, the step after a gradient of length 2 had length 1.8.",
        told_by=("value",),
        told_apart="The weights move, and stay finite, on a batch that was reported as left out. A check stays silent "
                   "for optimizers without a state, where both are the same.",
        messages={
            "": "Batch {i} was to be left out, and the weights moved by {moved}: the optimizer made a step without a "
                "gradient.",
            "part": "Batch {i} was to be left out, and {n_moved} of {n} weights moved, by {moved}: those whose own "
                    "gradient was finite.",
        },
        experiment="Print how far the weights move in a step with gradients of 0, after one with others.",
        threads=("ray-project/ray#47452", "facebookresearch/mmf#893"),
        lab="05_vanishing_exploding",
        level=None,
    ),
    Pitfall(
        id="skipped-gradient-kept",
        name="A step left out whose gradient stays",
        section=SECTION,
        belief="A step that was left out has left nothing behind.",
        happens="Its gradient is still there, and the next backward pass adds to it: NaN and a number make NaN, so "
                "every later step is left out as well. With clearing only after a step, 1 bad batch of 3 left 2 out.",
        told_by=("order", "value"),
        told_apart="Good batches are left out after the first bad one, and none before it. A check stays silent where "
                   "the gradient is cleared before each backward pass.",
        messages={
            "": "Batch {i} is fine, norm {norm}, and was left out: the gradient of an earlier batch was still there.",
        },
        experiment="Print the gradient norm of the first good batch after a bad one.",
        threads=("espnet/espnet#3283",),
        lab="05_vanishing_exploding",
        level=None,
    ),
)
