"""Mistakes in GPU kernels that measure and scale gradients."""

from gradlab.pitfalls.pitfall import Pitfall

SECTION = "kernels"

KERNELS = (
    Pitfall(
        id="missing-barrier",
        name="A neighbour's number without a barrier",
        section=SECTION,
        belief="The threads of a block run in step, so what one has written the others can read.",
        happens="Threads of different warps run in any order. A tree over 64 threads has 7 barriers; with one of the "
                "first 6 left out the course's machine found a race each time, and only the last one is not needed. "
                "On a GPU the same kernel may give the right sum for years.",
        told_by=("order",),
        told_apart="Two threads of one block touch an element between the same two barriers, and one of them writes. A "
                   "check stays silent for atomics among themselves, for threads that write the same value, and for "
                   "lanes of a warp that syncwarp has brought together.",
        messages={
            "": "Thread {first} {did_first} {array}[{index}] in `{first_line}` and thread {second} {did_second} it in "
                "`{second_line}`, with no barrier between: here thread {first} came first, on a GPU either may.",
        },
        experiment="Draw the lines of both threads side by side, and look for what makes the one wait for the other.",
        threads=("arrayfire/arrayfire#633", "microsoft/onnxruntime#28724", "NVIDIA/cuml#6578"),
        lab="07_kernels",
        level=None,
    ),
    Pitfall(
        id="barrier-not-reached",
        name="A barrier that some threads never reach",
        section=SECTION,
        belief="A thread without work may leave early, or skip the barrier.",
        happens="A barrier waits for the whole block. With 29 elements in blocks of 8, three threads of the last block "
                "left and five waited. Chips since Volta count those that have ended as come; others hang.",
        told_by=("order",),
        told_apart="Some threads of a block wait, and another has ended or waits elsewhere. A check stays silent where "
                   "all threads of a block leave together, and where no barrier comes after.",
        messages={
            "": "{waiting} of {threads} threads of block {block} wait at a barrier, and thread {thread} does not come: "
                "it has ended.",
            "elsewhere": "{waiting} of {threads} threads of block {block} wait at a barrier, and thread {thread} does "
                         "not come: it waits in `{elsewhere}`.",
            "exchange": "{waiting} of {threads} threads of block {block} wait in `{source}` for the rest of their "
                        "warp, and thread {thread} does not come to it.",
        },
        experiment="Count, with pencil and paper, the barriers that the first and the last thread of the last block "
                   "pass.",
        threads=("pytorch/FBGEMM#5857", "m4rs-mt/ILGPU#90"),
        lab="07_kernels",
        level=None,
    ),
    Pitfall(
        id="block-race",
        name="Blocks that meet in one element",
        section=SECTION,
        belief="A barrier, or the order of the blocks, holds for the whole grid.",
        happens="No barrier reaches across blocks, and they run at once or in any order. Four blocks that each do "
                "total[0] += sum may lose up to three of the four sums. In a simulator that runs one block after the "
                "other none is lost, and nothing is seen.",
        told_by=("order",),
        told_apart="Two blocks touch an element in one launch, one of them writes, and no fence with an atomic stands "
                   "between. A check stays silent for atomics among themselves and for the block that a ticket shows "
                   "to be the last.",
        messages={
            "": "Block {first} {did_first} {array}[{index}] in `{first_line}` and block {second} {did_second} it in "
                "`{second_line}`: nothing says which comes first.",
            "unfenced": "Block {second} read {array}[{index}], which block {first} wrote: no fence stands between that "
                        "write and the atomic, so the number may not have arrived.",
        },
        experiment="Draw what two blocks do at once, line by line, and let each of them be the slower one in turn.",
        threads=("pytorch/pytorch#128455", "NVIDIA/Fuser#2391", "davisking/dlib#2999"),
        lab="07_kernels",
        level=None,
    ),
    Pitfall(
        id="reading-past-end",
        name="An index past the end",
        section=SECTION,
        belief="There are as many threads as elements.",
        happens="A grid is a whole number of blocks. With 29 elements in blocks of 8 the last 3 of 32 threads have "
                "none, and read what lies behind the array: another tensor, most often, and no error. A negative "
                "index is an address before it.",
        told_by=("value",),
        told_apart="An index is below 0 or not below the size. A check stays silent for threads that have no element "
                   "and touch none.",
        messages={
            "": "Thread {thread} of block {block} read {array}[{index}], and {array} has {size} "
                "{size:element|elements}.",
            "write": "Thread {thread} of block {block} wrote {array}[{index}], and {array} has {size} "
                     "{size:element|elements}.",
        },
        experiment="Compute cuda.grid(1) of the very last thread by hand and compare it with the size.",
        threads=("flagos-ai/FlagGems#5230", "risc0/risc0#3803", "NVIDIA/cuda-samples#21"),
        lab="07_kernels",
        level=None,
    ),
    Pitfall(
        id="wrong-tail",
        name="Elements left out, or taken twice",
        section=SECTION,
        belief="If it is right for a round number of elements, it is right for all.",
        happens="Rounding 75 elements down to whole blocks of 32 leaves out 11. A stride of one block in a grid of 3 "
                "took 118 of 150 elements twice or three times. Inputs of nothing but ones, or a whole number of "
                "blocks, hide both.",
        told_by=("value",),
        told_apart="How often each element counts: 0 or more than 1. A check stays silent where elements are added in "
                   "another order, which changes the last digits.",
        messages={
            "": "{n_lost} of {n} elements {n_lost:was|were} left out, the first of them {array}[{index}].",
            "twice": "{n_twice} of {n} elements {n_twice:counts|count} more than once: {array}[{index}] counts "
                     "{times} times.",
            "together": "Both {first} and {second} changed {array}[{index}]: it is taken twice.",
            "unwritten": "Thread {thread} of block {block} read {array}[{index}] in shared memory, where no thread had "
                         "put anything.",
        },
        experiment="Draw a grid of two blocks of four threads over eleven elements, and write into each element which "
                   "threads take it.",
        threads=("ROCm/rocm-systems#7711", "NVIDIA/cccl#2112", "tpn/cuda-samples#1"),
        lab="07_kernels",
        level=None,
    ),
    Pitfall(
        id="block-local-norm",
        name="A norm for each block",
        section=SECTION,
        belief="A block that has added its elements knows the norm.",
        happens="It knows the norm of its own share: of three blocks over 150 elements the last one alone had 5.88 "
                "where the norm of all is 12, and the sum of the three blocks' norms was 20.6. Squares add up, norms "
                "do not.",
        told_by=("value",),
        told_apart="The result is the norm of one block's share, or the sum of the blocks' norms. A check stays silent "
                   "for a grid of one block, where both are the same.",
        messages={
            "": "Your norm is {norm}, that of one block's elements alone; of all {n} elements together it is "
                "{norm_true}.",
            "sum-of-norms": "Your norm is {norm}, the sum of the {blocks} blocks' norms; of all elements together it "
                            "is {norm_true}.",
            "each-block": "Block {first} and block {second} both wrote {array}[{index}], each from the elements it "
                          "had itself.",
        },
        experiment="Compute the norm of [3, 0] and of [4, 0] and compare their sum with the norm of all four numbers.",
        threads=("xlite-dev/LeetCUDA#392", "PacktPublishing/Learn-CUDA-Programming#15"),
        lab="07_kernels",
        level=None,
    ),
    Pitfall(
        id="forgotten-root",
        name="A sum of squares taken for the norm",
        section=SECTION,
        belief="What the reduction delivers is the norm.",
        happens="It delivers the sum of squares: 143.7 where the norm is 11.99. Compared with a limit of 1, "
                "gradients are scaled to a twelfth of the length they are meant to have; below a norm of 1 the "
                "mistake turns around, and too little is clipped.",
        told_by=("value",),
        told_apart="The result is the square of the norm, on every input. A check stays silent where sums of squares "
                   "are handed on as such, as between devices.",
        messages={
            "": "Your norm is {norm}; the norm is {norm_true}, and yours is its square.",
        },
        experiment="Compute your norm of the single gradient [3, -4], and then of [-30, 40].",
        threads=("paiml/entrenar#311",),
        lab="07_kernels",
        level=None,
    ),
    Pitfall(
        id="always-writes",
        name="A clip that writes although nothing is clipped",
        section=SECTION,
        belief="Multiplying by 1 costs nothing.",
        happens="It costs as much as multiplying by anything: 8 bytes an element on top of the 4 of the norm, 12 in "
                "all where 4 do. Most steps of most runs are not clipped.",
        told_by=("trace",),
        told_apart="The norm is within the limit and the kernel reads or writes gradients. A check stays silent where "
                   "they are clipped.",
        messages={
            "": "The norm was {norm}, within your limit of {max_norm}, and your kernel wrote {writes} of {n} elements "
                "all the same, and read {reads}.",
            "reads": "The norm was {norm}, within your limit of {max_norm}, and your kernel read {reads} of {n} "
                     "elements, to leave them as they are.",
        },
        experiment="Print the counts of your kernel for a limit that is far away, and compare its bytes with those of "
                   "the norm.",
        threads=("teilomillet/textpolicy#39",),
        lab="07_kernels",
        level=None,
    ),
    Pitfall(
        id="inverted-coefficient",
        name="The coefficient upside down",
        section=SECTION,
        belief="The coefficient is the ratio of norm and limit, one way or the other.",
        happens="With norm 12.35 and limit 1.5 the factor is 0.121; upside down it is 8.23, and long gradients grow "
                "while short ones shrink. With a decision on the same number nothing is clipped that is too long, and "
                "everything that is not.",
        told_by=("value",),
        told_apart="The factor is norm / max_norm, or acts on the wrong side of the limit. A check stays silent where "
                   "an optimizer divides by the number, as fused ones do.",
        messages={
            "": "The norm was {norm} and your limit {max_norm}; the gradients were multiplied by {coef}, which is "
                "norm / max_norm.",
            "decision": "The norm was {norm} and your limit {max_norm}: over the limit nothing changed, and under it "
                        "gradients were scaled.",
        },
        experiment="Print the norm after your kernel for norms of 0.5, 1, 2 and 4 and a limit of 1.",
        threads=("sony/nnabla-ext-cuda#201", "NVIDIA/OpenSeq2Seq#192"),
        lab="07_kernels",
        level=None,
    ),
    Pitfall(
        id="nan-slips-through",
        name="A comparison that lets NaN pass",
        section=SECTION,
        belief="If the norm is not above the limit, there is nothing to do.",
        happens="Every comparison with NaN is false, so `norm > max_norm` skips it and `norm <= max_norm` does not. "
                "Of 150 gradients with one NaN, torch makes all 150 NaN, and whoever looks anywhere sees it; "
                "skipped, 149 stay finite and the step is made.",
        told_by=("value",),
        told_apart="The norm is NaN and gradients come out unchanged. A check stays silent where a guard is meant to "
                   "leave the step out.",
        messages={
            "": "The norm was {norm}, and {n_finite} of {n} gradients came out finite: nothing tells the optimizer.",
        },
        experiment="Print `float('nan') > 1`, `float('nan') < 1` and `not float('nan') >= 1`.",
        threads=("pytorch/pytorch#53843",),
        lab="07_kernels",
        level=None,
    ),
)
