"""The exercise training-step: its situations show what they are meant to show, and its messages quote the learner."""

import inspect

import pytest
import torch
from programs import RIGHT, WRONG, verdict

from gradlab import exercises
from gradlab.exercises.fingerprints import agree
from gradlab.exercises.training_step import evidence, rules
from gradlab.exercises.training_step.situations import GRADIENTS, SITUATIONS, STALE, Toy, mean_output

EXERCISE = exercises.get("training-step")
BY_NAME = {situation.name: situation for situation in SITUATIONS}
PROGRAMS = {program.name: program for program in RIGHT + WRONG if program.exercise == EXERCISE.name}


def function(name):
    return PROGRAMS[name].function


def wrong_in(name):
    """The names of the situations in which a program is wrong."""
    trials = [situation.run(function(name)) for situation in SITUATIONS]
    pairs = zip(trials, EXERCISE.right_trials, strict=True)
    return {mine.fixture.name for mine, right in pairs if not agree(mine, right)}


# ------------------------------------------------------------------------------------------------- the situations


@pytest.mark.parametrize("weight", [0.0, -3.0])
def test_the_gradient_of_a_micro_batch_is_known_whatever_the_weights_are(weight):
    model, _, _, windows, loss_fn, _ = BY_NAME["three micro-batches"].build().arguments
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, weight)
    for window, known in zip(windows, GRADIENTS, strict=True):
        for batch, gradient in zip(window, known, strict=True):
            made = torch.autograd.grad(loss_fn(model, batch), list(model.parameters()))
            torch.testing.assert_close(torch.cat([g.flatten() for g in made]), torch.tensor(gradient))


def test_the_limits_lie_below_every_share_and_above_every_sum():
    for situation in SITUATIONS:
        gradients = situation.gradients
        if situation.over:
            assert (gradients.norm(dim=-1) / situation.k > situation.max_norm).all()
        else:
            assert gradients.sum(1).norm(dim=-1).max() + situation.stale.norm() < situation.max_norm


def test_the_largest_entry_is_negative():
    for situation in SITUATIONS:
        for mean in situation.gradients.mean(1):
            assert mean.abs().max() == -mean.min()


@pytest.mark.parametrize("name", ["under the limit", "a loss scale"])
def test_a_stale_gradient_waits_in_grad_with_the_scale_of_its_situation(name):
    model, *_ = BY_NAME[name].build().arguments
    waiting = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    torch.testing.assert_close(waiting, BY_NAME[name].scale * torch.tensor(STALE))


def test_in_float16_gradients_vanish_without_a_scale_and_survive_with_one():
    batch = torch.ones(4, 4)
    model = Toy(float16=True)
    mean_output(model, batch).backward()
    assert not model.head.bias.grad.any()
    (mean_output(model, batch) * BY_NAME["float16"].scale).backward()
    assert model.head.bias.grad.all()


def test_an_infinite_gradient_leaves_the_first_update_out_and_not_the_second():
    first, second = BY_NAME["an infinite gradient"].run(EXERCISE.right).result["updates"]
    assert not first.any() and second.all()


def test_a_frozen_layer_has_no_gradient_before_and_after():
    model, *arguments = BY_NAME["a frozen layer"].build().arguments
    EXERCISE.right(model, *arguments[:2], arguments[2][0], *arguments[3:])
    assert all(parameter.grad is None for parameter in model.base.parameters())


def test_clipping_hides_a_missing_division():
    assert wrong_in("never_divides") == {"under the limit", "three micro-batches", "a loss scale", "float16"}


def test_two_micro_batches_do_not_show_a_divisor_that_is_always_two():
    assert wrong_in("always_divides_by_two") == {"three micro-batches"}


def test_without_a_loss_scale_nothing_shows_a_misused_scaler():
    for name in ("clips_before_unscaling", "unscales_twice", "unscales_after_the_first", "steps_on_scaled_gradients"):
        assert not {situation.name for situation in SITUATIONS if situation.scale == 1} & wrong_in(name)


def test_only_an_infinite_gradient_shows_a_step_past_the_scaler():
    assert wrong_in("unscales_but_steps_past_the_scaler") == {"an infinite gradient"}


def test_four_mistakes_have_the_same_updates_and_names_of_their_own():
    four = ("never_clips", "clips_after_the_step", "clips_cleared_gradients", "filters_once")
    for situation in SITUATIONS:
        one, *others = (situation.run(function(name)) for name in four)
        assert all(agree(one, other) for other in others)
    assert len({verdict(PROGRAMS[name]).pitfall for name in four}) == 4


# --------------------------------------------------------------------------------------------- what becomes of errors


@pytest.mark.parametrize("name", ["clips_with_gradlab_that_refuses_infinity", "clips_and_refuses_infinity"])
def test_who_refuses_an_infinite_gradient_has_left_the_update_out(name):
    first, second = BY_NAME["an infinite gradient"].run(function(name)).result["updates"]
    assert not first.any() and second.all()


def test_the_same_error_over_finite_gradients_is_the_learners():
    def step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
        raise RuntimeError("this is not finite")

    assert BY_NAME["under the limit"].run(step).fault.text == "this is not finite"


def test_a_frozen_layer_is_named_where_its_missing_gradient_is_used():
    def step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
        optimizer.zero_grad()
        for batch in micro_batches:
            scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
        scaler.unscale_(optimizer)
        norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
        for p in model.parameters():
            p.grad *= (max_norm / norm).clamp(max=1)
        scaler.step(optimizer)
        scaler.update()

    told = EXERCISE.check(step)
    assert told.outcome == "error" and "A frozen layer has none" in told.message and "p.grad.flatten()" in told.message


def test_a_gradient_that_is_missing_everywhere_is_no_frozen_layer():
    def step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
        optimizer.zero_grad()
        return [p.grad.norm() for p in model.parameters()]

    told = EXERCISE.check(step)
    assert told.outcome == "error" and "frozen" not in told.message


def test_a_stub_is_not_attempted_and_an_endless_loop_ends():
    def stub(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
        raise NotImplementedError

    def endless(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
        while True:
            pass

    assert EXERCISE.check(stub).outcome == "not attempted"
    assert EXERCISE.check(endless, seconds=0.3).outcome == "error"


# --------------------------------------------------------------------------------------------------- what is told


@pytest.mark.parametrize("name, expected", [
    ("clips_before_unscaling", "60,753 = 8,192 × 7.416, so your limit of 50 acted as 0.006104"),
    ("unscales_after_the_first", "8,192 times larger than the 1 already there (norm 6.5 to 14,771)"),
    ("divides_by_the_index", "the first counts 1 and the last 0.5"),
    ("divides_gradients_in_the_loop", "the first now counts 0.25 and the last 0.5"),
    ("always_divides_by_two", "You summed 3 micro-batches and divided by 2: the gradient is 1.5 times"),
    ("clips_weights_only", "1 was never clipped (first: head.bias)"),
    ("adds_up_sizes", "Your norm is 11, the true one 7.416"),
    ("clips_at_a_negative_limit", "max_norm=-50 multiplied every gradient by -6.742"),
    ("clears_only_at_the_end", "norm 5.292: your first gradient has norm 9.644, these micro-batches alone give 7.416"),
])
def test_a_message_quotes_the_learners_numbers(name, expected):
    assert expected in verdict(PROGRAMS[name]).message


@pytest.mark.parametrize("name, clip, step", [("clips_after_the_step", "clip_grad_norm_", "scaler.step(optimizer)"),
                                              ("clips_last_of_all", "clip_grad_norm_", "scaler.step(optimizer)")])
def test_a_message_quotes_the_learners_lines(name, clip, step):
    source, start = inspect.getsourcelines(function(name))
    line = {word: next(start + i for i, text in enumerate(source) if word in text) for word in (clip, step)}
    assert f"line {line[clip]} ran after the step on line {line[step]}" in verdict(PROGRAMS[name]).message


def test_a_wrong_step_is_drawn_with_what_was_wrong_about_it():
    told = verdict(PROGRAMS["clips_after_the_step"])
    assert [event.kind for event in told.ledger][:5] == ["zero_grad", "backward", "backward", "step", "clip"]
    assert any(finding.pitfall == told.pitfall for finding in told.ledger.findings("info"))


@pytest.mark.parametrize("wrong, trials", EXERCISE.wrong_trials,
                         ids=[f"{wrong.id}-{wrong.variant}-{place}" for place, wrong in enumerate(EXERCISE.wrong)])
def test_every_known_program_has_evidence_for_its_message_wherever_it_is_told(wrong, trials):
    bad = [(mine, right) for mine, right in zip(trials, EXERCISE.right_trials, strict=True) if not agree(mine, right)]
    assert "{" not in wrong.diagnosis(*bad[0]).message


def test_who_keeps_sums_of_their_own_is_not_told_off_for_clearing():
    told = verdict(PROGRAMS["clips_each_alone"])
    assert (told.pitfall, told.variant) == ("clip-each-micro-batch", "each-alone")


def test_what_nothing_explains_is_told_by_size_and_direction():
    def told(first):
        mine = BY_NAME["over the limit"].run(EXERCISE.right)
        mine.result["updates"] = (torch.tensor(first), mine.result["updates"][1])
        return rules.unexplained(mine, EXERCISE.right_trials[1])

    right = EXERCISE.right_trials[1].result["updates"][0]
    assert told((2 * right).tolist()) == "Your first update has norm 1.2, the right one 0.6; they point the same way"
    assert told((-right).tolist()).endswith("they point 180° apart")
    assert told([0.0] * 4) == "Your first update left the weights where they were; the right one moves them by 0.6"
    assert "no finite numbers" in told([float("nan")] * 4)


def test_an_update_that_should_have_been_left_out_is_told_so():
    situation = BY_NAME["an infinite gradient"]
    mine, right = situation.run(EXERCISE.right), situation.run(EXERCISE.right)
    mine.result["updates"] = (torch.ones(4), right.result["updates"][1])
    assert "the scaler would have left it out" in rules.unexplained(mine, right)


def test_evidence_is_taken_from_the_first_call_that_went_wrong():
    situation = BY_NAME["under the limit"]
    mine, right = situation.run(EXERCISE.right), situation.run(EXERCISE.right)
    mine.result["updates"] = (right.result["updates"][0], 3 * right.result["updates"][1])
    told = evidence.update(mine, right)
    assert told["call"] == "second" and told["norm"] == pytest.approx(3 * told["norm_true"])


def test_the_solution_is_right_and_names_the_six_events_in_order():
    EXERCISE.hint(2)
    words = str(EXERCISE.solution())
    order = ["zero_grad", "backward", "unscale_", "clip_grad_norm_", "scaler.step", "scaler.update"]
    assert sorted(order, key=words.index) == order
    assert EXERCISE.check(EXERCISE.right)
