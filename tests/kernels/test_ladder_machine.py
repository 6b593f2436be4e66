"""The machine does what a GPU does where a kernel is right, and names what a GPU would not where it is wrong."""

import time

import numpy as np
import pytest

kernels = pytest.importorskip("ladder_kernels")
cuda = kernels.cuda

from gradlab_kernels.ladder.machine import (  # noqa: E402
    BarrierMissed,
    Endless,
    PastTheEnd,
    Race,
    Unwritten,
    launch,
)


def draw(size, seed=0):
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


def squares(values, threads):
    parts = np.split(values.astype(float) ** 2, range(threads, len(values), threads))
    return np.array([part.sum() for part in parts])


@pytest.mark.parametrize("size, threads", [(1, 1), (29, 8), (64, 64), (65, 64), (200, 32)])
def test_a_right_tree_gives_the_sums_and_its_counts_follow_from_its_shape(size, threads):
    blocks, values = -(-size // threads), draw(size)
    sums, levels = np.zeros(-(-size // threads)), threads.bit_length() - 1
    counts = launch(kernels.tree, blocks, threads, values, sums, -1)
    assert np.allclose(sums, squares(values, threads), rtol=1e-12)
    assert counts.reads == counts.loads == size and counts.bytes_read == 4 * size
    assert counts.writes == blocks and counts.bytes_written == 8 * blocks
    assert counts.barriers == blocks * (1 + levels) and counts.atomics == counts.shuffles == 0
    assert counts.shared_writes == blocks * (threads + threads - 1)
    assert counts.shared_reads == blocks * (2 * (threads - 1) + 1)
    assert counts.read_from == {"values": 4 * size} and counts.written_to == {"sums": 8 * blocks}


@pytest.mark.parametrize("without", range(6))
def test_each_barrier_of_a_tree_is_needed(without):
    with pytest.raises(Race) as caught:
        launch(kernels.tree, 1, 64, draw(64), np.zeros(1), without)
    race = caught.value
    assert race.shared and race.array == "shared" and race.block == race.other_block == 0
    assert race.thread != race.other and "wrote" in (race.did, race.other_did)
    # The one that adds half a tree reads what the other has, or has not yet, put there.
    assert abs(race.thread - race.other) == 32 >> without
    assert "shared[thread + half]" in race.source + race.other_source


def test_all_barriers_but_the_last():
    sums = np.zeros(1)
    launch(kernels.tree, 1, 64, draw(64), sums, 6)  # thread 0 reads only what it wrote itself
    assert np.allclose(sums, squares(draw(64), 64))


def test_the_same_race_is_found_every_time():
    told = set()
    for _ in range(3):
        with pytest.raises(Race) as caught:
            launch(kernels.tree, 2, 64, draw(100), np.zeros(2), 2)
        told.add(str(caught.value))
    assert len(told) == 1 and "thread 0 read shared[8]" in told.pop()


def test_a_warp_that_has_met_hands_over_and_one_that_has_shuffled_does_not():
    values, out = draw(32), np.zeros(32)
    launch(kernels.handing_over, 1, 32, values, out, True)
    assert np.array_equal(out.astype(np.float32), values.reshape(-1, 2)[:, ::-1].ravel())
    for kernel, more in ((kernels.handing_over, (False,)), (kernels.shuffling_only, ())):
        with pytest.raises(Race):
            launch(kernel, 1, 32, values, out, *more)


def test_writing_the_same_is_no_race_and_writing_beside_atomics_is():
    values, out = draw(8), np.zeros(8)
    launch(kernels.zeroed_by_all, 1, 8, values, out)
    assert np.allclose(out, values.astype(float).sum())
    with pytest.raises(Race):
        launch(kernels.zeroed_beside_atomics, 1, 8, values, out)


def test_writing_what_others_still_read_is_a_race():
    with pytest.raises(Race) as caught:
        launch(kernels.reading_on_while_another_writes, 1, 4, draw(4), np.zeros(4))
    assert (caught.value.did, caught.value.other_did) == ("wrote", "read")


def test_a_last_block_reads_what_was_fenced_before_the_ticket():
    values, total, ticket = draw(5), np.zeros(1), np.zeros(1, np.int32)
    launch(kernels.last_block, 5, 2, values, np.zeros(5), ticket, total, True)
    assert np.allclose(total, values.astype(float).sum()) and ticket[0] == 0
    with pytest.raises(Race) as caught:
        launch(kernels.last_block, 5, 2, values, np.zeros(5), ticket, total, False)
    assert caught.value.ticketed and (caught.value.other_block, caught.value.block) == (0, 4)


def test_a_fence_covers_what_the_block_wrote_before_it_met():
    values, total = draw(12), np.zeros(1)
    launch(kernels.fence_for_the_block, 3, 4, values, np.zeros(12), np.zeros(1, np.int32), total, True)
    assert np.allclose(total, values.astype(float).sum())
    with pytest.raises(Race) as caught:
        launch(kernels.fence_for_the_block, 3, 4, values, np.zeros(12), np.zeros(1, np.int32), total, False)
    assert caught.value.array == "partial" and caught.value.other == 1  # thread 0's own number has arrived


def test_blocks_that_add_to_one_place_race():
    with pytest.raises(Race, match="block 0 wrote sums.0. in `sums.0. .= .*block 1 read it"):
        launch(kernels.one_total, 3, 4, draw(3), np.zeros(1))
    launch(kernels.one_total, 1, 4, draw(3), np.zeros(1))  # one block alone may


@pytest.mark.parametrize("at", [-1, 5, 1000])
def test_an_index_outside_is_named(at):
    with pytest.raises(PastTheEnd, match=rf"thread 0 of block 0 read values\[{at}\], and values has 5 elements"):
        launch(kernels.index, 1, 1, draw(5), np.zeros(1), at)
    with pytest.raises(PastTheEnd, match=rf"wrote sums\[{at}\]"):
        launch(kernels.index_written, 1, 1, draw(5), np.zeros(5), at)


@pytest.mark.parametrize("at", [0.0, "0", None, slice(0, 1)])
def test_an_index_is_a_whole_number(at):
    with pytest.raises(TypeError, match="takes a whole number"):
        launch(kernels.index, 1, 1, draw(5), np.zeros(1), at)


def test_a_thread_that_does_not_come_is_named_at_once():
    began = time.monotonic()
    with pytest.raises(BarrierMissed) as caught:
        launch(kernels.early_leavers, 4, 8, draw(29), np.zeros(29))
    assert (caught.value.block, caught.value.thread, caught.value.waiting) == (3, 5, 5) and caught.value.ended
    with pytest.raises(BarrierMissed) as caught:
        launch(kernels.two_places, 1, 8, draw(1), np.zeros(1))
    assert not caught.value.ended and caught.value.elsewhere == "cuda.syncthreads()"
    with pytest.raises(BarrierMissed):
        launch(kernels.lane_missing, 1, 32, draw(1), np.zeros(1))
    assert time.monotonic() - began < 30


def test_threads_may_leave_where_no_barrier_comes_after():
    out = np.zeros(1)
    launch(kernels.all_leave_but_one, 1, 8, draw(1), out)
    assert out[0] == draw(1)[0]


@pytest.mark.parametrize("kernel", [kernels.meets_for_ever, kernels.reads_for_ever])
def test_a_launch_without_end_is_ended(kernel):
    with pytest.raises(Endless, match="after 5000 steps"):
        launch(kernel, 1, 4, draw(1), np.zeros(1), steps=5000)


def test_what_nobody_has_written_is_not_to_be_read():
    with pytest.raises(Unwritten, match=r"read shared\[3\], which nobody had written"):
        launch(kernels.reads_nothing, 1, 8, draw(1), np.zeros(8))
    with pytest.raises(Unwritten):
        launch(kernels.one_total, 1, 1, draw(1), np.zeros(1), unwritten=(1,))


def test_what_another_block_writes_later_is_a_race_and_not_merely_unwritten():
    def reads_the_next(values, out):
        out[cuda.blockIdx.x] = values[cuda.blockIdx.x]
        if cuda.blockIdx.x == 0:
            out[1]

    with pytest.raises(Race, match=r"block 0 read out\[1\] .* and block 1 wrote it"):
        launch(reads_the_next, 2, 1, draw(2), np.zeros(2), unwritten=(1,))


def test_an_exchange_does_not_look_at_what_stood_there():
    def puts(out):
        cuda.atomic.exch(out, cuda.threadIdx.x, 5.0)

    out = np.zeros(3)
    launch(puts, 1, 3, out, unwritten=(0,))
    assert out.tolist() == [5.0] * 3


@pytest.mark.parametrize("act", [lambda x: x * 2, lambda x: np.float32(2) / x, lambda x: x < 1, float])
def test_whole_arrays_are_not_computed_with(act):
    def kernel(values):
        act(values)

    with pytest.raises(TypeError, match=r"values is an array, and a kernel computes with its elements"):
        launch(kernel, 1, 1, draw(4))


def test_numpy_is_not_called_on_an_array_of_the_gpu():
    def kernel(values):
        np.linalg.norm(values)

    with pytest.raises(TypeError, match="numpy cannot be called on it"):
        launch(kernel, 1, 1, draw(4))


def test_an_array_prints_as_its_name_and_size(capsys):
    def kernel(values):
        print(values)

    launch(kernel, 1, 1, draw(4))
    assert capsys.readouterr().out == "values: 4 of float32\n"


def test_threads_are_told_who_they_are_and_what_the_others_say():
    out = np.zeros(7 * 40)
    launch(kernels.numbers, 1, 40, out)
    down, up, fifth, count, ballot, lane, both = out.astype(int).reshape(7, 40).tolist()
    assert down == [*range(1, 32), 31, *range(33, 40), 39]
    assert up == [0, 1, *range(30), 32, 33, *range(32, 38)]
    assert fifth == [5] * 32 + [-1] * 8 and count == [7] * 40
    assert ballot == [0xAAAAAAAA] * 32 + [0xAA] * 8
    assert lane == [*range(32), *range(8)] and both == [1] * 40


def test_a_thread_begun_again_does_not_print_again(capsys):
    launch(kernels.says, 1, 3, np.zeros(1))
    assert capsys.readouterr().out == "thread 0\nthread 1\nthread 2\n"


def test_what_a_kernel_raises_ends_in_the_kernel():
    def kernel(values):
        values.mean()

    with pytest.raises(AttributeError, match="an array in a kernel has no 'mean' here") as caught:
        launch(kernel, 1, 1, draw(1))
    assert caught.traceback[-1].name == "kernel"


@pytest.mark.parametrize("grid", [(0, 1), (1, 0), (1, 1025)])
def test_a_grid_that_no_gpu_has_is_refused(grid):
    with pytest.raises(ValueError, match="a launch takes at least 1 block"):
        launch(kernels.says, *grid, np.zeros(1))


def test_the_kernel_itself_stays_as_it_is():
    before = dict(vars(kernels))
    launch(kernels.tree, 1, 8, draw(8), np.zeros(1), -1)
    assert vars(kernels) == before
