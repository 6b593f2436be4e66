"""A training step that hands the gradients to torch's clip is told so, by the line."""

import inspect

import pytest
import torch
from programs import WRONG, verdict

from gradlab import exercises

NAME = "training-step"
PROGRAMS = {program.name: program for program in WRONG if program.exercise == NAME}


@pytest.mark.parametrize("name", ["clips_a_list_of_gradients", "forgets_the_frozen_layer_as_well",
                                  "clips_gradients_that_have_a_name"])
def test_a_clip_that_was_given_gradients_is_told_by_its_line(name):
    source, start = inspect.getsourcelines(PROGRAMS[name].function)
    line = next(start + i for i, text in enumerate(source) if "clip_grad_norm_" in text)
    told = verdict(PROGRAMS[name]).message
    assert f"The clip on line {line} was given the gradients themselves" in told
    assert "the norm is still 7.416, and the limit is 0.6" in told


def test_a_clip_of_parameters_that_is_left_out_is_not_taken_for_one_of_gradients():
    def clips_only_small_gradients(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
        optimizer.zero_grad()
        for batch in micro_batches:
            scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
        scaler.unscale_(optimizer)
        max_grad_norm = max_norm
        if max_norm > 100:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)  # never the gradients themselves
        scaler.step(optimizer)
        scaler.update()

    told = exercises.get(NAME).check(clips_only_small_gradients)
    assert (told.pitfall, told.variant) == ("clip-missing", "")
