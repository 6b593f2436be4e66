"""The exercise accumulate-tokens: a gradient taken apart says how much every target counts."""

import pytest
import torch
import torch.nn.functional as F
from programs import RIGHT, UNNAMED, WRONG, verdict

from gradlab import exercises
from gradlab.exercises.accumulate_tokens.shares import Shares, shares
from gradlab.exercises.accumulate_tokens.situations import SITUATIONS, TinyModel, row
from gradlab.exercises.fingerprints import agree

EXERCISE = exercises.get("accumulate-tokens")
BY_NAME = {situation.name: situation for situation in SITUATIONS}
PROGRAMS = {program.name: program for program in RIGHT + WRONG + UNNAMED if program.exercise == EXERCISE.name}


def trial(name, situation):
    return BY_NAME[situation].run(PROGRAMS[name].function)


def wrong_in(name):
    """The names of the situations in which a program is wrong."""
    trials = [situation.run(PROGRAMS[name].function) for situation in SITUATIONS]
    pairs = zip(trials, EXERCISE.right_trials, strict=True)
    return {mine.fixture.name for mine, right in pairs if not agree(mine, right)}


# ------------------------------------------------------------------------------------------------- the situations


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_micro_batches_hold_the_targets_they_say(situation):
    assert tuple(int((targets >= 0).sum()) for _, targets in situation.micro_batches) == situation.counts


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_the_right_gradient_is_that_of_all_tokens_in_one_batch(situation):
    model = TinyModel()
    inputs, targets = (torch.cat(parts) for parts in zip(*situation.micro_batches, strict=True))
    F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
    whole = row(parameter.grad for parameter in model.parameters())
    torch.testing.assert_close(situation.run(EXERCISE.right).result["gradient"], whole)


def test_with_equal_counts_a_mean_of_means_is_right():
    assert wrong_in("takes_the_mean_of_the_losses") == {"one and three", "nothing to learn", "ten and a hundred"}


def test_the_mean_of_no_targets_is_nan_and_its_gradient_zero():
    logits = torch.randn(3, 7, requires_grad=True)
    loss = F.cross_entropy(logits, torch.full((3,), -100))
    loss.backward()
    assert loss.isnan() and not logits.grad.any()


# ---------------------------------------------------------------------------------------------------------- shares


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_in_the_right_gradient_every_target_counts_one_over_all(situation):
    found = shares(situation.run(EXERCISE.right))
    assert found.of_target == pytest.approx([1 / sum(situation.counts)] * len(found.counts), abs=1e-6)
    assert found.stale == 0 and found.even


@pytest.mark.parametrize("name, of_target, stale", [
    ("takes_the_mean_of_the_losses", (1 / 2, 1 / 6), 0),
    ("adds_up_sums", (1, 1), 0),
    ("divides_by_all_positions", (1 / 16, 1 / 16), 0),
    ("clears_for_every_micro_batch", (0, 1 / 4), 0),
    ("never_clears", (1 / 4, 1 / 4), 1),
    ("divides_what_was_there_too", (1 / 4, 1 / 4), 1 / 4),
])
def test_a_wrong_gradient_is_taken_apart(name, of_target, stale):
    found = shares(trial(name, "one and three"))
    assert found.of_target == pytest.approx(of_target, abs=1e-5)
    assert found.stale == pytest.approx(stale, abs=1e-5)


def test_a_gradient_of_another_loss_has_no_shares():
    assert shares(trial("shuffles_logits", "one and three")) is None
    assert shares(trial("takes_masked_means_by_hand", "nothing to learn")) is None


def test_shares_tell_a_divisor_from_a_mean_of_means():
    assert Shares((0.1, 0.1), (1, 3), 0.0).even and Shares((0.1, 0.1), (1, 3), 0.0).divisor == pytest.approx(10)
    assert not Shares((1 / 2, 1 / 6), (1, 3), 0.0).even


# --------------------------------------------------------------------------------------------------- what is told


@pytest.mark.parametrize("name, expected", [
    ("divides_by_the_number_of_micro_batches", "1 and 3 targets but equal weight; a target in the short one counts 3"),
    ("divides_by_all_positions", "You divided by 16, the number of all positions; only 6 of them hold a target"),
    ("adds_up_sums", "the losses of 6 targets and divided by nothing: your gradient is 6 times"),
    ("weighs_and_divides", "the sum over 6 targets divided by 12: it is 0.5 times"),
    ("clears_for_every_micro_batch", "2 backward passes, and what 1 of them left in the gradients was cleared"),
    ("clears_at_both_ends", "what all of them left in the gradients was cleared"),
    ("takes_masked_means_by_hand", "Micro-batch 2 holds no target that counts"),
    ("steps_as_well", "moved the weights by 0.18"),
    ("clips_the_sum", "is no longer that of a mean: norm 1.806 before it and 1 after it"),
    ("clips_before_the_division", "norm 10.83 before it and 1 after it"),
    ("clips_each_gradient", "the first of 3, and is no longer"),
    ("clips_after_every_backward", "Clip ran 2 times in a window of 2 micro-batches"),
])
def test_a_message_quotes_the_learners_numbers(name, expected):
    assert expected in verdict(PROGRAMS[name]).message


def uneven(*of_mean):
    """A program in which the mean losses of the first micro-batches count as much as is said."""
    def program(model, optimizer, micro_batches):
        optimizer.zero_grad()
        for share, (inputs, targets) in zip(of_mean, micro_batches, strict=False):
            if (targets >= 0).any():
                (share * F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())).backward()
    return program


def test_shares_that_no_known_program_has_are_told_as_they_are():
    assert "Of 2 micro-batches the first counts 0.2 and the last 0.7" in EXERCISE.check(uneven(0.2, 0.7, 0.1)).message

    def right_for_equal_counts(model, optimizer, micro_batches):
        counts = [int((targets >= 0).sum()) for _, targets in micro_batches]
        squares = [count**2 / sum(other**2 for other in counts) for count in counts]
        uneven(*squares)(model, optimizer, micro_batches)

    told = EXERCISE.check(right_for_equal_counts)
    assert "0.1 in the micro-batch of 1, 0.3 in the micro-batch of 3; right is 0.25 for all" in told.message


def test_a_micro_batch_that_is_left_out_is_told_by_its_number():
    def skips_the_second(model, optimizer, micro_batches):
        EXERCISE.right(model, optimizer, micro_batches[:1] + micro_batches[2:])

    assert "number 2 is not in your gradient" in EXERCISE.check(skips_the_second).message


def test_who_keeps_sums_of_their_own_may_clear_in_between():
    assert verdict(PROGRAMS["divides_gradients_by_a_count_of_zero"]).pitfall is None


def test_a_clip_that_never_acts_is_not_what_went_wrong():
    def means_and_a_far_limit(model, optimizer, micro_batches):
        PROGRAMS["takes_the_mean_of_the_losses"].function(model, optimizer, micro_batches)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1000.0)

    assert EXERCISE.check(means_and_a_far_limit).pitfall == "mean-of-means"


def test_a_weight_is_not_taken_for_a_clip_by_hand():
    def weighs_gradients_in_the_loop(model, optimizer, micro_batches):
        optimizer.zero_grad()
        for inputs, targets in micro_batches:
            F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
            for p in model.parameters():
                p.grad *= 0.6180339

    told = EXERCISE.check(weighs_gradients_in_the_loop)
    assert "clip" in [event.kind for event in told.ledger] and "clip" not in told.message.lower()


def test_a_clearing_without_a_line_of_its_own_is_told_by_the_line_before():
    def clears_by_hand_at_the_end(model, optimizer, micro_batches):
        for inputs, targets in micro_batches:
            F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        for p in model.parameters():
            p.grad = None

    told = EXERCISE.check(clears_by_hand_at_the_end)
    assert told.pitfall == "zero-grad-before-step"
    assert f"cleared again after line {told.ledger.of('backward')[-1].where.line}, before" in told.message


@pytest.mark.parametrize("wrong, trials", EXERCISE.wrong_trials,
                         ids=[f"{wrong.id}-{wrong.variant}-{place}" for place, wrong in enumerate(EXERCISE.wrong)])
def test_every_known_program_has_evidence_for_its_message_wherever_it_is_told(wrong, trials):
    bad = [(mine, right) for mine, right in zip(trials, EXERCISE.right_trials, strict=True) if not agree(mine, right)]
    assert "{" not in wrong.diagnosis(*bad[0]).message


def test_a_wrong_gradient_is_drawn():
    told = verdict(PROGRAMS["clears_for_every_micro_batch"])
    assert [event.kind for event in told.ledger] == ["zero_grad", "backward"] * 2
    assert told.ledger[2].lost == (1,)
