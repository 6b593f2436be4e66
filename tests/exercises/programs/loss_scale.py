"""Answers to "loss-scale"."""

import numpy as np
import torch

from programs import right, unnamed, wrong

NAME = "loss-scale"


@right(NAME)
def early_return(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale * 0.5, 0, not overflowed
    if good_steps + 1 >= growth_interval:
        return scale * 2.0, 0, True
    return scale, good_steps + 1, True


@right(NAME)
def never_takes_the_count_back_after_growth(scale, good_steps, overflowed, growth_interval):
    good_steps = 0 if overflowed else good_steps + 1
    if overflowed:
        scale /= 2
    elif good_steps % growth_interval == 0:
        scale *= 2
    return [scale, good_steps, not overflowed]


@right(NAME)
def counts_down(scale, good_steps, overflowed, growth_interval):
    left = growth_interval - good_steps
    left = growth_interval if overflowed else left - 1
    factor = 0.5 if overflowed else 2.0 if left == 0 else 1.0
    return scale * factor, growth_interval - (left or growth_interval), 1 - overflowed


@right(NAME)
def with_numpy_and_torch(scale, good_steps, overflowed, growth_interval):
    exponent = torch.tensor(float(np.log2(scale)))
    if overflowed:
        return 2.0 ** (exponent - 1), np.int64(0), np.bool_(False)
    grown = good_steps + 1 == growth_interval
    return 2.0 ** (exponent + grown), 0 if grown else good_steps + 1, np.bool_(True)


@right(NAME)
def counts_in_negative_numbers(scale, good_steps, overflowed, growth_interval):
    good_steps = 0 if overflowed else good_steps - 1
    if good_steps == -growth_interval:
        return scale * 2, 0, True
    return scale / 2 if overflowed else scale, good_steps, not overflowed


@wrong(NAME, "loss-scale-wrong-way")
def doubles_on_overflow(scale, good_steps, overflowed, growth_interval):
    good_steps = 0 if overflowed else good_steps + 1
    if overflowed or good_steps == growth_interval:
        return scale * 2, 0, not overflowed
    return scale, good_steps, True


@wrong(NAME, "loss-scale-wrong-way")
def divides_by_a_half(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 0.5, 0, False
    return (scale, good_steps + 1, True) if good_steps + 1 < growth_interval else (2 * scale, 0, True)


@wrong(NAME, "loss-scale-wrong-way", "swapped")
def the_factors_swapped(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale * 2, 0, False
    good_steps += 1
    if good_steps >= growth_interval:
        return scale / 2, 0, True
    return scale, good_steps, True


@wrong(NAME, "loss-scale-wrong-way", "swapped")
def halves_when_all_is_well(scale, good_steps, overflowed, growth_interval):
    backoff, growth = 2.0, 0.5
    count = (good_steps + 1) * (not overflowed)
    full = count == growth_interval
    return scale * (backoff if overflowed else growth if full else 1), 0 if full else count, not overflowed


@wrong(NAME, "loss-scale-wrong-way", "never-halves")
def only_skips(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale, 0, False
    good_steps += 1
    return (scale * 2, 0, True) if good_steps == growth_interval else (scale, good_steps, True)


@wrong(NAME, "loss-scale-wrong-way", "never-halves")
def counts_an_overflow_as_a_step(scale, good_steps, overflowed, growth_interval):
    good_steps += 1
    if good_steps == growth_interval:
        scale, good_steps = scale * 2, 0
    return scale, good_steps, not overflowed


@wrong(NAME, "loss-scale-wrong-way", "never-grows")
def only_falls(scale, good_steps, overflowed, growth_interval):
    return scale / 2 if overflowed else scale, good_steps + 1, not overflowed


@wrong(NAME, "loss-scale-wrong-way", "never-grows")
def grows_into_a_name_that_is_not_returned(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 2, 0, False
    good_steps += 1
    if good_steps == growth_interval:
        new_scale, good_steps = scale * 2, 0  # noqa: F841
    return scale, good_steps, True


@wrong(NAME, "loss-scale-grows-too-soon")
def grows_at_every_good_step(scale, good_steps, overflowed, growth_interval):
    return (scale / 2, 0, False) if overflowed else (scale * 2, good_steps + 1, True)


@wrong(NAME, "loss-scale-grows-too-soon")
def compares_the_wrong_way(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 2, 0, False
    good_steps += 1
    if good_steps <= growth_interval:
        scale, good_steps = scale * 2, 0
    return scale, good_steps, True


@wrong(NAME, "loss-scale-grows-too-soon", "not-restarted")
def goes_on_counting(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 2, 0, False
    good_steps += 1
    if good_steps >= growth_interval:
        scale *= 2
    return scale, good_steps, True


@wrong(NAME, "loss-scale-grows-too-soon", "not-restarted")
def takes_back_only_on_overflow(scale, good_steps, overflowed, growth_interval):
    good = 0 if overflowed else 1 + good_steps
    factor = 0.5 if overflowed else 2 if good >= growth_interval else 1
    return factor * scale, good, not overflowed


@wrong(NAME, "loss-scale-grows-too-soon", "kept-count")
def keeps_the_count(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 2, good_steps, False
    good_steps += 1
    if good_steps == growth_interval:
        return scale * 2, 0, True
    return scale, good_steps, True


@wrong(NAME, "loss-scale-grows-too-soon", "kept-count")
def keeps_it_in_one_expression(scale, good_steps, overflowed, growth_interval):
    good_steps += not overflowed
    grows = not overflowed and good_steps == growth_interval
    return scale * (2 if grows else 0.5 if overflowed else 1), 0 if grows else good_steps, not overflowed


@wrong(NAME, "overflow-not-skipped")
def always_updates(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 2, 0, True
    good_steps += 1
    if good_steps == growth_interval:
        return scale * 2, 0, True
    return scale, good_steps, True


@wrong(NAME, "overflow-not-skipped")
def halves_and_goes_on(scale, good_steps, overflowed, growth_interval):
    update = True
    if overflowed:
        scale, good_steps = scale / 2, -1
    good_steps += 1
    if good_steps == growth_interval:
        scale, good_steps = scale * 2, 0
    return scale, good_steps, update


@wrong(NAME, "overflow-not-skipped", "reversed")
def says_whether_to_skip(scale, good_steps, overflowed, growth_interval):
    scale, good_steps, update = early_return(scale, good_steps, overflowed, growth_interval)
    return scale, good_steps, not update


@wrong(NAME, "overflow-not-skipped", "reversed")
def returns_the_flag(scale, good_steps, overflowed, growth_interval):
    good_steps = 0 if overflowed else good_steps + 1
    if good_steps == growth_interval:
        return scale * 2, 0, overflowed
    return scale / 2 if overflowed else scale, good_steps, overflowed


@unnamed(NAME, "grew once")
def grows_once(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 2, 0, False
    good_steps += 1
    if good_steps == growth_interval:
        scale = scale * 2
    return scale, good_steps, True


@unnamed(NAME, "a step late")
def tests_before_it_counts(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 2, 0, False
    if good_steps == growth_interval:
        return scale * 2, 0, True
    return scale, good_steps + 1, True


@unnamed(NAME, "a step late")
def tests_before_it_looks_for_an_overflow(scale, good_steps, overflowed, growth_interval):
    if good_steps == growth_interval:
        scale *= 2
        good_steps = 0
    if overflowed:
        return scale / 2, 0, False
    return scale, good_steps + 1, True


@unnamed(NAME, "no update is ever made")
def never_says_true(scale, good_steps, overflowed, growth_interval):
    return *early_return(scale, good_steps, overflowed, growth_interval)[:2], False


@unnamed(NAME, "went from 1 to 0; 0.5 is asked for")
def divides_whole_numbers(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale // 2, 0, False
    good_steps += 1
    return (scale * 2, 0, True) if good_steps == growth_interval else (scale, good_steps, True)


@unnamed(NAME, "a step before")
def a_step_early(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 2, 0, False
    good_steps += 1
    if good_steps >= growth_interval - 1:
        return scale * 2, 0, True
    return scale, good_steps, True


@unnamed(NAME, "half, 512, is asked for")
def a_tenth(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 10, 0, False
    good_steps += 1
    return (scale * 2, 0, True) if good_steps == growth_interval else (scale, good_steps, True)


@unnamed(NAME, "no overflow")
def skips_the_update_of_a_growth(scale, good_steps, overflowed, growth_interval):
    scale, good_steps, update = early_return(scale, good_steps, overflowed, growth_interval)
    return scale, good_steps, update and good_steps > 0


@unnamed(NAME, "is asked for")
def adds_a_thousand(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 2, 0, False
    good_steps += 1
    return (scale + 1000, 0, True) if good_steps == growth_interval else (scale, good_steps, True)


@unnamed(NAME, "three things")
def two_results(scale, good_steps, overflowed, growth_interval):
    return scale, good_steps


@unnamed(NAME, "True or False")
def says_it_in_words(scale, good_steps, overflowed, growth_interval):
    return *early_return(scale, good_steps, overflowed, growth_interval)[:2], "skip"


@unnamed(NAME, "return")
def prints_it(scale, good_steps, overflowed, growth_interval):
    print(early_return(scale, good_steps, overflowed, growth_interval))


@unnamed(NAME, "since it changed")
def begins_to_count_at_one(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 2, 1, False
    good_steps += 1
    return (scale * 2, 1, True) if good_steps == growth_interval else (scale, good_steps, True)
