"""What a loop did is what the ledger says, at the line where it was done."""

import inspect
import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.nn.utils import clip_grad_norm_ as early_clip  # before anything is recorded
from torch.nn.utils import clip_grad_value_ as early_value_clip
from torch.nn.utils import clip_grads_with_norm_ as early_split_clip
from torch.optim import lr_scheduler

import gradlab
from gradlab.ledger import Backward, Clip, Ledger, Measure, Step, Where, ZeroGrad, record
from gradlab.ledger.observe import backward, clip, patches


def make(kind=torch.optim.SGD, **options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    return model, kind(model.parameters(), lr=0.1, **options)


X, Y = torch.linspace(-1, 1, 24).reshape(8, 3), torch.linspace(2, -1, 8).reshape(8, 1)


def loss(model):
    return functional.mse_loss(model(X), Y)


def kinds(events):
    return [event.kind for event in events]


def norm(model):
    return math.sqrt(sum(p.grad.double().square().sum().item() for p in model.parameters() if p.grad is not None))


def test_a_plain_step():
    model, sgd = make()
    with record(model, sgd) as events:
        sgd.zero_grad()
        loss(model).backward()
        before = norm(model)
        clip_grad_norm_(model.parameters(), 0.5)
        sgd.step()
    assert kinds(events) == ["zero_grad", "backward", "clip", "step"]
    zero, backward, clip, step = events
    assert zero.parameters == zero.lost == () and zero.how == "optimizer"
    assert backward.parameters == (0, 1, 2, 3) and backward.number == 1 and backward.norm == pytest.approx(before)
    assert (backward.divisor, backward.scale, backward.autocast) == (None, 1.0, None)
    assert (clip.given, clip.missing, clip.foreign, clip.parameters) == (4, 0, 0, (0, 1, 2, 3))
    assert (clip.how, clip.norm_type, clip.max_norm) == ("norm", 2.0, 0.5)
    assert clip.norm == pytest.approx(before) and clip.coefficient == pytest.approx(0.5 / before, rel=1e-4)
    assert step.parameters == (0, 1, 2, 3) and step.lr == (0.1,) and step.norm == pytest.approx(0.5, rel=1e-4)
    assert math.isnan(step.moved) and not step.through_scaler
    assert [event.index for event in events] == [0, 1, 2, 3] and not any(event.in_step for event in events)
    assert events.parameters == ("0.weight", "0.bias", "2.weight", "2.bias")
    assert events.held == ((0, 1, 2, 3),) and events.in_model == (0, 1, 2, 3) and events.finished


def test_every_event_tells_its_line():
    model, sgd = make()
    schedule = lr_scheduler.StepLR(sgd, 1)
    with record(model, sgd) as events:
        model.zero_grad()
        loss(model).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        clip_grad_value_(model.parameters(), 0.1)
        gradlab.ClipByGlobalNorm(0.05)(model.parameters())
        model[0].weight.grad.mul_(0.123456)
        sgd.step()
        schedule.step()
    lines, first = inspect.getsourcelines(test_every_event_tells_its_line)
    assert [event.where.text for event in events] == [line.strip() for line in lines[4:12]]
    assert [event.where.line for event in events] == list(range(first + 4, first + 12))
    assert {event.where.function for event in events} == {"test_every_event_tells_its_line"}
    assert {event.where.file for event in events} == {__file__} and not any(event.after for event in events)


def test_the_place_is_known_after_the_file_is_gone_but_its_text_is_not():
    assert Where("nowhere.py", 3, "f").text == ""


def unsupervised(model, optimizer, parameters):
    """Whatever a loop may do with gradients, by name."""
    return {
        "zero_grad": lambda: optimizer.zero_grad(), "module": lambda: model.zero_grad(),
        "backward": lambda: loss(model).backward(),
        "clip": lambda: clip_grad_norm_(parameters, 0.3),
        "value": lambda: nn.utils.clip_grad_value_(model.parameters(), 0.01),
        "rule": lambda: gradlab.ClipByGlobalNorm(0.2)(optimizer.param_groups),
        "measure": lambda: nn.utils.clip_grad_norm_(model.parameters(), float("inf")),
        "step": lambda: optimizer.step(),
    }


NAMES = {"module": "zero_grad", "value": "clip", "rule": "clip"}


@given(st.lists(st.sampled_from(list(unsupervised(*make(), []))), max_size=25),
       st.sampled_from([torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop]))
def test_any_sequence_is_recorded_as_it_was_performed(sequence, kind):
    model, optimizer = make(kind)
    operations = unsupervised(model, optimizer, list(model.parameters()))
    performed = []
    with record(model, optimizer) as events:
        for name in sequence:
            if name != "value" or model[0].weight.grad is not None:  # without a gradient torch itself raises
                operations[name]()
                performed.append(NAMES.get(name, name))
    assert kinds(events) == performed
    updates = 0
    for event in events:
        assert event.window == (updates,)
        updates += isinstance(event, Step)


@given(st.lists(st.sampled_from(["zero_grad", "backward", "clip", "step"]), max_size=25), st.booleans())
def test_norms_are_those_of_the_gradients_whatever_came_before(sequence, set_to_none):
    model, optimizer = make()
    operations = unsupervised(model, optimizer, list(model.parameters()))
    operations["zero_grad"] = lambda: optimizer.zero_grad(set_to_none=set_to_none)
    seen = []
    with record(model, optimizer) as events:
        for name in sequence:
            before = norm(model)
            operations[name]()
            seen.append((before, norm(model)))
    for event, (before, after) in zip(events, seen, strict=True):
        if isinstance(event, Backward):
            assert event.norm == pytest.approx(after, rel=1e-5)
        if isinstance(event, Clip | Step):
            assert event.norm == pytest.approx(before, rel=1e-4, abs=1e-9)
        if isinstance(event, Clip):
            assert event.norm * event.coefficient == pytest.approx(after, rel=1e-4, abs=1e-9)


def test_accumulation_counts_micro_batches_and_reads_the_divisor():
    model, sgd = make()
    with record(model, sgd) as events:
        for _ in range(2):
            for _ in range(3):
                (loss(model) / 3).backward()
            sgd.step()
            sgd.zero_grad()
    assert [event.number for event in events.of("backward")] == [1, 2, 3, 1, 2, 3]
    assert {event.divisor for event in events.of(Backward)} == {3.0}


@pytest.mark.parametrize("clip", [early_clip, lambda p, m: nn.utils.clip_grad_norm_(p, m),
                                  lambda p, m: torch.nn.utils.clip_grad.clip_grad_norm_(p, m, foreach=False),
                                  lambda p, m: early_clip(parameters=p, max_norm=m, foreach=True)])
def test_torch_s_clip_is_seen_under_any_name(clip):
    model, sgd = make()
    loss(model).backward()
    before = norm(model)
    with record(model, sgd) as events:
        clip(model.parameters(), 0.25)
    (event,) = events
    assert isinstance(event, Clip) and event.how == "norm" and event.given == 4 and event.max_norm == 0.25
    assert event.norm == pytest.approx(before)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_deprecated_clip_is_seen():
    model, sgd = make()
    loss(model).backward()
    with record(model, sgd) as events:
        nn.utils.clip_grad_norm(model.parameters(), 0.25)
    assert kinds(events) == ["clip"]


@pytest.mark.parametrize("foreach", [True, False])
def test_clips_that_escape_by_an_early_name_are_seen_by_what_they_do(foreach):
    model, sgd = make()
    loss(model).backward()
    before = norm(model)
    with record(model, sgd) as events:
        early_value_clip(model.parameters(), 0.1, foreach=foreach)
        after = norm(model)
        early_split_clip(list(model.parameters()), 0.05, torch.tensor(after), foreach=foreach)
    value, split = events
    assert (value.how, value.max_norm, value.norm) == ("value", 0.1, pytest.approx(before))
    assert value.coefficient == pytest.approx(after / before)
    assert (split.how, split.max_norm, split.norm, split.given) == ("norm", 0.05, pytest.approx(after), 4)


def test_the_two_halves_of_the_clip():
    model, sgd = make()
    loss(model).backward()
    with record(model, sgd) as events:
        total = nn.utils.get_total_norm([p.grad for p in model.parameters()])
        nn.utils.clip_grads_with_norm_(model.parameters(), 0.1, total)
    measure, clip = events
    assert isinstance(measure, Measure) and measure.given == 4 and measure.norm == clip.norm == total.item()
    assert clip.given == 4 and clip.max_norm == 0.1


@pytest.mark.parametrize("norm_type", [1.0, float("inf"), 2.0])
def test_the_order_of_the_norm_is_recorded(norm_type):
    model, sgd = make()
    with record(model, sgd) as events:
        loss(model).backward()
        total = clip_grad_norm_(model.parameters(), 0.1, norm_type=norm_type)
        length = norm(model)
        sgd.step()
    backward, clip, step = events
    assert clip.norm_type == norm_type and clip.norm == pytest.approx(total.item())
    assert step.norm == pytest.approx(length) and backward.norm == pytest.approx(length / clip.coefficient, rel=1e-4)


def test_what_a_clip_was_given():
    model, sgd = make()
    stranger = nn.Parameter(torch.ones(2))
    stranger.grad = torch.ones(2)
    loss(model).backward()
    model[0].bias.grad = None
    with record(model, sgd) as events:
        clip_grad_norm_([*model.parameters(), model[2].bias, stranger], 0.5)
    (clip,) = events.of("clip")
    assert (clip.given, clip.missing, clip.foreign, clip.parameters) == (6, 1, 1, (0, 1, 2, 3, 3))


@pytest.mark.parametrize("exhausted", [iter([]), filter(None, []), map(abs, []), [], (never for never in ())])
def test_a_clip_of_nothing_is_a_clip_of_no_tensors(exhausted):
    model, sgd = make()
    loss(model).backward()
    with warnings.catch_warnings(), record(model, sgd) as events:
        warnings.simplefilter("ignore")
        clip_grad_norm_(exhausted, 0.5)
    (clip,) = events
    assert clip.given == 0 and clip.norm == 0.0 and clip.parameters == ()


@pytest.mark.parametrize("clip", [clip_grad_norm_, lambda p, m: nn.utils.clip_grad_value_(p, m),
                                  lambda p, m: gradlab.ClipByGlobalNorm(m)(p),
                                  lambda p, m: nn.utils.clip_grads_with_norm_(p, m, torch.tensor(9.0))])
def test_a_generator_still_clips_what_it_gives(clip):
    model, sgd = make()
    loss(model).backward()
    with record(model, sgd) as events:
        clip((p for p in model.parameters()), 1e-3)
    assert norm(model) < 5e-3 and events[0].given == 4


def test_a_generator_that_raises_raises():
    model, sgd = make()

    def parameters():
        yield model[0].weight
        raise LookupError("mine")

    with record(model, sgd) as events, pytest.raises(LookupError, match="mine"):
        gradlab.ClipByGlobalNorm(1.0)(parameters())
    assert kinds(events) == []


def test_gradlab_s_rules():
    model, sgd = make()
    with record(model, sgd) as events:
        for rule in gradlab.ClipByGlobalNorm(0.3), gradlab.ClipByValue(0.02), gradlab.ClipByGroupNorm(0.05):
            loss(model).backward()
            result = rule(model.parameters())
            assert (events[-1].norm, events[-1].coefficient) == (result.norm_before, result.coefficient)
            assert events[-1].max_norm == rule.max_norm
            sgd.step()
            assert events[-1].norm == pytest.approx(result.norm_after)
            sgd.zero_grad()
        loss(model).backward()
        gradlab.ClipByGlobalNorm(float("inf"))(model.parameters())
    assert [event.how for event in events.of("clip")] == ["norm", "value", "norm"]
    assert kinds(events)[-1] == "measure"


def test_a_rule_that_takes_gradients_away_leaves_none_to_use():
    model, sgd = make()
    with record(model, sgd) as events:
        (loss(model) * float("inf")).backward()
        gradlab.ClipByGlobalNorm(1.0, nonfinite="skip")(model.parameters())
        sgd.step()
    assert kinds(events) == ["backward", "clip", "step"] and events[-1].parameters == ()
    assert events[-1].gradients == {} and events.leftover == {}


def test_an_infinite_limit_measures():
    model, sgd = make()
    loss(model).backward()
    with record(model, sgd) as events:
        clip_grad_norm_(model.parameters(), float("inf"))
        model[0].weight.grad[0, 0] = float("inf")
        clip_grad_norm_(model.parameters(), float("inf"))
    assert kinds(events) == ["measure", "edit", "clip"], "the second one made every gradient NaN or zero"
    assert math.isnan(events[-1].coefficient)


@pytest.mark.parametrize("max_norm", [0.0, -1.0])
def test_limits_that_are_no_limits(max_norm):
    model, sgd = make()
    loss(model).backward()
    before = norm(model)
    with record(model, sgd) as events:
        clip_grad_norm_(model.parameters(), max_norm)
        sgd.step()
    assert events[0].max_norm == max_norm and events[0].coefficient == pytest.approx(max_norm / before, rel=1e-4)
    assert events[1].norm == pytest.approx(-max_norm, abs=1e-6)


def test_a_closure_is_seen_inside_its_step():
    model, _ = make()
    lbfgs = torch.optim.LBFGS(model.parameters(), max_iter=3)

    def closure():
        lbfgs.zero_grad()
        value = loss(model)
        value.backward()
        return value

    with record(model, lbfgs) as events:
        lbfgs.step(closure)
        lbfgs.zero_grad()
    inside = [event for event in events if event.in_step]
    assert len(inside) >= 4 and {type(event) for event in inside} == {ZeroGrad, Backward}
    assert kinds(events)[len(inside):] == ["step", "zero_grad"]
    assert not any(event.lost for event in events.of("zero_grad")), "the step used what its closure made"


def test_moved_is_how_far_the_weights_went():
    model, sgd = make()
    with record(model, sgd, moved=True) as events:
        loss(model).backward()
        before = [p.detach().clone() for p in model.parameters()]
        sgd.step()
    ways = [(p - q).norm().item() for p, q in zip(model.parameters(), before, strict=True)]
    assert events[-1].moved == pytest.approx(math.hypot(*ways), rel=1e-4) and any(ways)


def test_each_optimizer_has_its_own_window():
    model, _ = make()
    one, two = torch.optim.SGD(model[0].parameters(), lr=0.1), torch.optim.Adam(model[2].parameters(), lr=0.2)
    with record(model, [one, two]) as events:
        loss(model).backward()
        one.step()
        loss(model).backward()
        one.step()
        two.step()
    assert [event.window for event in events] == [(0, 0), (0, 0), (1, 0), (1, 0), (2, 0)]
    assert [(event.optimizer, event.parameters, event.lr) for event in events.of("step")] == [
        (0, (0, 1), (0.1,)), (0, (0, 1), (0.1,)), (1, (2, 3), (0.2,))]
    assert [len(window) for window in events.windows(0)] == [2, 2, 1] and [len(w) for w in events.windows(1)] == [5]


def test_the_norm_of_an_update_is_over_what_its_optimizer_holds():
    model, _ = make()
    part = torch.optim.SGD(model[0].parameters(), lr=0.1)
    with record(model, part) as events:
        loss(model).backward()
        clip_grad_norm_(model.parameters(), 0.1)
        expected = norm(model[0])
        part.step()
    assert events[-1].norm == pytest.approx(expected, rel=1e-4) and events[-1].norm < 0.099


def test_steps_of_optimizers_that_were_not_given_are_no_events():
    model, sgd = make()
    other = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model, sgd) as events:
        loss(model).backward()
        other.step()
        sgd.step()
    assert kinds(events) == ["backward", "step"]


def test_whoever_clears_a_gradient_clears_it():
    model, sgd = make()
    other = torch.optim.SGD([model[0].weight], lr=0.1)
    with record(model, sgd) as events:
        loss(model).backward()
        other.zero_grad()
        model[2].zero_grad()
        nn.Linear(2, 2).zero_grad()
    assert [(event.how, event.parameters) for event in events.of("zero_grad")] == [
        ("optimizer", (0,)), ("module", (2, 3))]


@pytest.mark.parametrize("set_to_none", [True, False])
@pytest.mark.parametrize("options", [{}, {"foreach": True}, {"fused": True}])
def test_clearing_to_none_or_to_zeros(set_to_none, options):
    model, sgd = make(**options)
    with record(model, sgd) as events:
        loss(model).backward()
        sgd.zero_grad(set_to_none=set_to_none)
    assert kinds(events) == ["backward", "zero_grad"]
    assert events[1].parameters == (0, 1, 2, 3) and events[1].lost == (0,)


SCHEDULES = {
    "StepLR": lambda sgd: lr_scheduler.StepLR(sgd, 1),
    "LambdaLR": lambda sgd: lr_scheduler.LambdaLR(sgd, lambda step: 1 / (step + 1)),
    "ReduceLROnPlateau": lambda sgd: lr_scheduler.ReduceLROnPlateau(sgd, patience=0),
    "CosineAnnealingWarmRestarts": lambda sgd: lr_scheduler.CosineAnnealingWarmRestarts(sgd, 3),
    "SequentialLR": lambda sgd: lr_scheduler.SequentialLR(
        sgd, [lr_scheduler.ConstantLR(sgd), lr_scheduler.ExponentialLR(sgd, 0.5)], [1]),
    "ChainedScheduler": lambda sgd: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(sgd), lr_scheduler.ExponentialLR(sgd, 0.5)]),
    "OneCycleLR": lambda sgd: lr_scheduler.OneCycleLR(sgd, 0.5, total_steps=9),
    "SWALR": lambda sgd: torch.optim.swa_utils.SWALR(sgd, 0.05),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_scheduler_moves_once_a_step_and_not_when_it_is_made(name):
    model, sgd = make(momentum=0.9)
    with record(model, sgd) as events:
        schedule = SCHEDULES[name](sgd)
        assert len(events) == 0
        for _ in range(3):
            loss(model).backward()
            sgd.step()
            before = sgd.param_groups[0]["lr"]
            schedule.step(*([1.0] if name == "ReduceLROnPlateau" else []))
            assert (events[-1].before, events[-1].lr) == ((before,), (sgd.param_groups[0]["lr"],))
    assert kinds(events) == ["backward", "step", "schedule"] * 3
    assert {event.scheduler for event in events.of("schedule")} == {name}


def test_a_scheduler_of_one_s_own_is_seen_when_it_is_given():
    class Halving:
        def __init__(self, optimizer):
            self.groups = optimizer.param_groups

        def step(self):
            for group in self.groups:
                group["lr"] /= 2

    model, sgd = make()
    schedule = Halving(sgd)
    with record(model, sgd, scheduler=schedule) as events:
        schedule.step()
    assert [(e.scheduler, e.before, e.lr) for e in events] == [("Halving", (0.1,), (0.05,))]
    assert "step" in vars(Halving) and Halving.step.__name__ == "step" and not hasattr(Halving.step, "__wrapped__")


def test_autograd_grad_is_no_backward():
    model, sgd = make()
    with record(model, sgd) as events:
        gradients = torch.autograd.grad(loss(model), list(model.parameters()), create_graph=True)
        sum(g.square().sum() for g in gradients).backward()
    assert kinds(events) == ["backward"]


def test_a_backward_that_touches_none_of_ours_is_none():
    model, sgd = make()
    with record(model, sgd) as events:
        nn.Linear(2, 1)(torch.ones(2)).sum().backward()
        torch.autograd.backward([loss(model), loss(model)])
    assert kinds(events) == ["backward"]


def test_a_backward_that_raises_half_way_is_recorded_for_what_it_did():
    class Raises(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            raise ArithmeticError("half way")

    model, sgd = make()
    with record(model, sgd) as events, pytest.raises(ArithmeticError, match="half way"):
        hidden = Raises.apply(model[0](X))
        functional.mse_loss(model[2](model[1](hidden)), Y).backward()
    assert [event.parameters for event in events] == [(2, 3)]


def test_reentrant_checkpointing_is_one_backward():
    model, sgd = make()
    with record(model, sgd) as events:
        x = X.clone().requires_grad_()
        torch.utils.checkpoint.checkpoint(model, x, use_reentrant=True).sum().backward()
    assert kinds(events) == ["backward"]


def test_an_optimizer_that_steps_inside_backward_is_passed_over_in_silence():
    model, _ = make()
    optimizers = [torch.optim.SGD([p], lr=0.1) for p in model.parameters()]

    def step(place):
        def hook(parameter):
            optimizers[place].step()
            optimizers[place].zero_grad()
        return hook

    for place, parameter in enumerate(model.parameters()):
        parameter.register_post_accumulate_grad_hook(step(place))
    with record(model, optimizers) as events:
        loss(model).backward()
    assert len(events) == 0


def test_a_compiled_model_may_be_recorded():
    model, sgd = make()
    compiled = torch.compile(model, backend="eager")
    with record(model, sgd) as events:
        for _ in range(2):
            compiled(X).square().mean().backward()
            sgd.step()
    assert kinds(events) == ["backward", "step"] * 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("how", ["around", "outside", "inside", "off", "no grad"])
def test_autocast_is_that_of_the_forward_pass(how, dtype):
    kind = getattr(torch, dtype)

    class Model(nn.Linear):
        def forward(self, x):
            with torch.autocast("cpu", kind, enabled=how == "inside"):
                return super().forward(x)

    model = Model(3, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model, sgd) as events:
        with torch.autocast("cpu", kind, enabled=how == "around"):
            if how == "outside":
                with torch.autocast("cpu", kind):
                    output = nn.functional.linear(X, model.weight)
                    model.forward(X)
                    functional.mse_loss(output.float(), Y).backward()
            elif how == "no grad":
                with torch.no_grad(), torch.autocast("cpu", kind):
                    model(X)
            if how != "outside":
                output = model(X)
        if how != "outside":
            functional.mse_loss(output.float(), Y).backward()
    assert [e.autocast for e in events] == [dtype if how in ("around", "outside", "inside") else None]


def test_a_full_ledger_counts_what_it_leaves_out():
    model, sgd = make()
    with record(model, sgd, keep=5) as events:
        for _ in range(4):
            sgd.zero_grad()
            loss(model).backward()
            sgd.step()
    assert len(events) == 5 and events.dropped == 7 and not events.finished and events.leftover == {}
    assert "7 later events" in events.text()


def test_leftover_is_what_no_update_used():
    model, sgd = make()
    with record(model, sgd) as events:
        assert not events.finished
        loss(model).backward()
    ((provenance, places),) = events.leftover.items()
    assert provenance.backwards == (0,) and places == (0, 1, 2, 3) and events.finished


MODEL, SGD = make()


@pytest.mark.parametrize("arguments, error, words", [
    ((MODEL.parameters(), SGD), TypeError, "model must be a torch.nn.Module"),
    ((MODEL, MODEL), TypeError, "optimizer must be a torch.optim.Optimizer"),
    ((MODEL, [SGD, None]), TypeError, "optimizer must be"),
    ((MODEL, SGD, lr_scheduler.StepLR(SGD, 1)), TypeError, "schedulers are given as scheduler="),
    ((MODEL, SGD, None, SGD), TypeError, "scheduler must have a step"),
    ((MODEL, SGD, None, lr_scheduler.StepLR(make()[1], 1)), ValueError, "steers an optimizer that record was not"),
    (([], []), ValueError, "nothing to observe"),
])
def test_bad_input_is_refused_in_words(arguments, error, words):
    with pytest.raises(error, match=words):
        record(*arguments)


@pytest.mark.parametrize("keep, error", [(0, ValueError), (-3, ValueError), (2.5, TypeError), (True, TypeError)])
def test_keep_is_a_number_of_events(keep, error):
    with pytest.raises(error, match="keep must be"):
        record(MODEL, SGD, keep=keep)


def test_a_record_is_entered_once():
    once = record(*make())
    with once:
        pass
    with pytest.raises(RuntimeError, match="entered before"), once:
        pass


def test_a_ledger_reads_like_a_list():
    model, sgd = make()
    with record(model, sgd) as events:
        loss(model).backward()
        sgd.step()
    assert isinstance(events, Ledger) and events[0] is list(events)[0] and events[:1] == [events[0]]
    assert events.of("backward") == events.of(Backward) == [events[0]]
    with pytest.raises(ValueError, match="there is no event 'clipp'; the kinds are zero_grad, backward"):
        events.of("clipp")
    with pytest.raises(ValueError, match="there is no optimizer 1"):
        events.windows(1)
    with pytest.raises(ValueError, match="level must be one of"):
        events.findings("warning")


def test_the_text_has_a_line_for_each_event():
    model, sgd = make()
    with record(model, sgd) as events:
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        (loss(model) / 2).backward()
        clip_grad_norm_(model.parameters(), 0.5)
        sgd.step()
        sgd.zero_grad()
    lines = str(events).splitlines()
    assert len(lines) == 5 and len({line.index(event.kind) for line, event in zip(lines, events, strict=True)}) == 1
    assert "micro-batch 1, 4 gradients" in lines[1] and "loss / 2" in lines[1]
    assert "-> 0.5 (max_norm 0.5), of 4 tensors" in lines[2] and "used norm 0.5" in lines[3]
    assert str(Ledger(finished=True)) == "no events"


@pytest.fixture
def older_torch(monkeypatch):
    """Only the public functions are there to be patched."""
    monkeypatch.setattr(clip, "patches", lambda: [
        patches.Patch(nn.utils, "clip_grad_norm_", clip.OldNormClip()),
        patches.Patch(nn.utils, "clip_grad_value_", clip.ValueClip())])
    monkeypatch.setattr(backward, "patches", lambda: [
        patches.Patch(torch.autograd, "backward", backward.BackwardObserver())])


@pytest.mark.parametrize("norm_type", [2.0, 1.0])
def test_an_older_torch_without_the_private_functions(older_torch, norm_type):
    model, sgd = make()
    with record(model, sgd) as events:
        (loss(model) / 2).backward()
        total = nn.utils.clip_grad_norm_((p for p in model.parameters()), 0.1, norm_type)
        nn.utils.clip_grad_norm_(iter([]), 0.1)
        with pytest.raises(RuntimeError, match="non-finite"):
            (loss(model) * float("inf")).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1, error_if_nonfinite=True)
    assert kinds(events) == ["backward", "clip", "clip", "backward"] and events[0].divisor == 2.0
    assert (events[1].given, events[1].norm, events[1].norm_type) == (4, pytest.approx(total.item()), norm_type)
    assert events[2].given == 0


def test_a_mistake_of_the_ledger_s_does_not_end_the_loop(monkeypatch):
    model, sgd = make()
    monkeypatch.setattr(backward, "_write", lambda *args: 1 / 0)
    with record(model, sgd) as events:
        with pytest.warns(RuntimeWarning, match="the ledger stopped recording.*ZeroDivisionError"):
            loss(model).backward()
        sgd.step()
    assert kinds(events) == [] and not events.finished


def test_the_norm_of_an_update_is_that_before_it_whatever_the_optimizer_does():
    class Greedy(torch.optim.SGD):
        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad.mul_(100)
            return super().step(closure)

    model, _ = make()
    greedy = Greedy(model.parameters(), lr=1e-6)
    with record(model, greedy) as events:
        loss(model).backward()
        before = norm(model)
        greedy.step()
        greedy.step()
    assert kinds(events) == ["backward", "step", "step"]
    assert [event.norm for event in events.of("step")] == pytest.approx([before, 100 * before])
