"""Answers to "init-gain"."""

import math

import numpy as np
import torch

from programs import right, unnamed, wrong

NAME, ID = "init-gain", "wrong-init-scale"


@right(NAME)
def with_torch_init(weight, activation, distribution):
    fill = torch.nn.init.kaiming_normal_ if distribution == "normal" else torch.nn.init.kaiming_uniform_
    fill(weight, nonlinearity=activation)


@right(NAME)
def by_copying_a_draw(weight, activation, distribution):
    rows, columns = weight.shape
    draw = torch.randn(rows, columns) if distribution == "normal" else (torch.rand(rows, columns) - 0.5) * 12**0.5
    weight.copy_(draw * (1 + (activation == "relu")) ** 0.5 / columns**0.5)


@unnamed(NAME, "the first two outputs are the same")
def one_row_for_all(weight, activation, distribution):
    std = ((2 if activation == "relu" else 1) / weight.shape[1]) ** 0.5
    draw = torch.randn(weight.shape[1]) if distribution == "normal" else (torch.rand(weight.shape[1]) - 0.5) * 12**0.5
    weight.copy_((std * draw).expand_as(weight))


@right(NAME)
def with_numpy(weight, activation, distribution):
    std = np.sqrt({"relu": 2, "linear": 1}[activation] / weight.size(1))
    draw = np.random.default_rng(3)
    values = draw.normal(0, std, weight.shape) if distribution == "normal" else draw.uniform(
        -std * 3**0.5, std * 3**0.5, weight.shape)
    weight[:] = torch.from_numpy(values)


@right(NAME)
def with_the_bound_of_six(weight, activation, distribution):
    variance = (2 if activation == "relu" else 1) / weight.shape[1]
    if distribution == "uniform":
        weight.uniform_(-((3 * variance) ** 0.5), (3 * variance) ** 0.5)
    else:
        weight.normal_(std=variance**0.5)
    return weight


def filled(weight, std, distribution, reach=3**0.5):
    if distribution == "normal":
        weight.normal_(0.0, std)
    else:
        weight.uniform_(-std * reach, std * reach)


@wrong(NAME, ID, "fan-out")
def rows_for_columns(weight, activation, distribution):
    fan_in = weight.shape[0]
    filled(weight, math.sqrt((2 if activation == "relu" else 1) / fan_in), distribution)


@wrong(NAME, ID, "fan-out")
def torch_in_the_other_mode(weight, activation, distribution):
    fill = torch.nn.init.kaiming_normal_ if distribution == "normal" else torch.nn.init.kaiming_uniform_
    fill(weight, mode="fan_out", nonlinearity=activation)


@wrong(NAME, ID, "average")
def xavier_with_a_gain(weight, activation, distribution):
    fill = torch.nn.init.xavier_normal_ if distribution == "normal" else torch.nn.init.xavier_uniform_
    fill(weight, gain=torch.nn.init.calculate_gain(activation))


@wrong(NAME, ID, "average")
def mean_of_the_fans(weight, activation, distribution):
    filled(weight, math.sqrt((2 if activation == "relu" else 1) / np.mean(weight.shape)), distribution)


@wrong(NAME, ID, "variance")
def variance_where_a_deviation_goes(weight, activation, distribution):
    filled(weight, (2 if activation == "relu" else 1) / weight.shape[1], distribution)


@wrong(NAME, ID, "variance")
def scaled_by_the_variance(weight, activation, distribution):
    draw = torch.randn_like(weight) if distribution == "normal" else (2 * torch.rand_like(weight) - 1) * math.sqrt(3)
    weight.copy_(draw / weight.size(1) * (2 if activation == "relu" else 1))


@wrong(NAME, ID, "no-gain")
def one_over_the_root(weight, activation, distribution):
    filled(weight, weight.shape[1] ** -0.5, distribution)


@wrong(NAME, ID, "no-gain")
def torch_without_the_activation(weight, activation, distribution):
    fill = torch.nn.init.kaiming_normal_ if distribution == "normal" else torch.nn.init.kaiming_uniform_
    fill(weight, nonlinearity="linear")


@wrong(NAME, ID, "gain-everywhere")
def torch_as_it_comes(weight, activation, distribution):
    fill = torch.nn.init.kaiming_normal_ if distribution == "normal" else torch.nn.init.kaiming_uniform_
    fill(weight)


@wrong(NAME, ID, "gain-everywhere")
def two_whatever_follows(weight, activation, distribution):
    filled(weight, math.sqrt(2 / weight.size(-1)), distribution)


@wrong(NAME, ID, "gain-not-rooted")
def twice_the_deviation(weight, activation, distribution):
    filled(weight, (2 if activation == "relu" else 1) / math.sqrt(weight.shape[1]), distribution)


@wrong(NAME, ID, "gain-not-rooted")
def doubled_afterwards(weight, activation, distribution):
    filled(weight, weight.shape[1] ** -0.5, distribution)
    if activation == "relu":
        weight.mul_(2)


@wrong(NAME, ID, "bound-is-std")
def deviation_for_a_bound(weight, activation, distribution):
    filled(weight, math.sqrt((2 if activation == "relu" else 1) / weight.shape[1]), distribution, reach=1)


@wrong(NAME, ID, "bound-is-std")
def rand_less_one_half_twice(weight, activation, distribution):
    std = math.sqrt((2 if activation == "relu" else 1) / weight.shape[1])
    weight.copy_(std * (torch.randn_like(weight) if distribution == "normal" else 2 * torch.rand_like(weight) - 1))


@wrong(NAME, ID, "bound-too-wide")
def the_whole_width_to_each_side(weight, activation, distribution):
    filled(weight, math.sqrt((2 if activation == "relu" else 1) / weight.shape[1]), distribution, reach=math.sqrt(12))


@wrong(NAME, ID, "bound-too-wide")
def root_of_twelve(weight, activation, distribution):
    std = math.sqrt((2 if activation == "relu" else 1) / weight.shape[1])
    if distribution == "uniform":
        weight.copy_((torch.rand_like(weight) * 2 - 1) * 12**0.5 * std)
    else:
        weight.copy_(torch.randn_like(weight) * std)


@unnamed(NAME, "not uniform")
def normal_whatever_is_asked(weight, activation, distribution):
    weight.normal_(0, math.sqrt((2 if activation == "relu" else 1) / weight.shape[1]))


@unnamed(NAME, "mean of your weights")
def from_nought_up(weight, activation, distribution):
    std = math.sqrt((2 if activation == "relu" else 1) / weight.shape[1])
    weight.copy_(torch.randn_like(weight).abs() * std / (1 - 2 / math.pi) ** 0.5)


@unnamed(NAME, "zeros only")
def a_new_tensor(weight, activation, distribution):
    return torch.randn(weight.shape) * math.sqrt(2 / weight.shape[1])


@unnamed(NAME, "0.4243 times the right one")
def as_in_gpt2(weight, activation, distribution):
    filled(weight, 0.02, distribution)


@unnamed(NAME, "multiplies the mean square by")
def brackets_forgotten(weight, activation, distribution):
    fan_out, fan_in = weight.shape
    filled(weight, math.sqrt(2 / fan_in + fan_out), distribution)
