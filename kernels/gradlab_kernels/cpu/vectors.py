"""The squares of 256 neighbouring elements, as straight vector instructions.

LLVM chooses how many elements an instruction takes by the widest number in the loop. Where float32 squares end in a
float64 sum that is half of what the loads could carry, and the norm takes twice as long; so the loads are written down
here. On chips with shorter vectors LLVM cuts them up.
"""

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

from ..intrinsics import F16, F32, F64, I16, I32

ROWS, LANES = 8, 32  # eight squares are added in float32, and such sums in float64
BLOCK = ROWS * LANES
_FLOATS, _DOUBLES, _WORDS = (ir.VectorType(kind, LANES) for kind in (F32, F64, I32))


def _block_of(element, to_f32):
    """An intrinsic: the sum of the squares of BLOCK elements at an address, float64."""
    row, width = ir.VectorType(element, LANES), {F32: 4, F16: 2, I16: 2}[element]

    @intrinsic
    def squares(typing, address):
        def emit(context, builder, signature, args):
            rows = builder.inttoptr(args[0], row.as_pointer())

            def added(first, count):
                if count > 1:
                    return builder.fadd(*(added(first + k * count // 2, count // 2) for k in range(2)), ("contract",))
                x = to_f32(builder, builder.load(builder.gep(rows, [I32(first)]), align=width))
                return builder.fmul(x, x, flags=("contract",))

            total = get_or_insert_function(builder.module, _REDUCTION, f"llvm.vector.reduce.fadd.v{LANES}f64")
            sums = builder.fpext(added(0, ROWS), _DOUBLES)
            return builder.call(total, [F64(0.0), sums], fastmath=("reassoc", "contract"))

        return types.float64(types.int64), emit

    return squares


_REDUCTION = ir.FunctionType(F64, [F64, _DOUBLES])

block_of_f32 = _block_of(F32, lambda b, x: x)
block_of_f16 = _block_of(F16, lambda b, x: b.fpext(x, _FLOATS))
block_of_bf16 = _block_of(  # a bf16 is the upper half of a float32
    I16, lambda b, x: b.bitcast(b.shl(b.zext(x, _WORDS), ir.Constant(_WORDS, [16] * LANES)), _FLOATS)
)
