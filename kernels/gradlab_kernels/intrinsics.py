"""Every instruction that Numba has no name for: loads and stores at raw addresses, 16-bit floats, tickets, one C call.

Here and in cpu/vectors.py, nowhere else, because Numba's extension API is what changes between its CUDA targets.
Addresses are int64 and nothing checks them; the host path has looked at every tensor before.

The processor's are at module level. The GPU's are made by `for_gpu`, with the decorator of the CUDA target at hand, so
that this file imports nothing of CUDA. Their twins in the simulator are in cuda/twins.py.
"""

from types import SimpleNamespace

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

F16, F32, F64 = ir.HalfType(), ir.FloatType(), ir.DoubleType()
I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))


# The processor -----------------------------------------------------------------


def _convert(result, argument, emit):
    """An intrinsic of one argument, whose value is `emit(builder, value)`."""

    @intrinsic
    def convert(typing, x):
        return result(argument), lambda context, builder, signature, args: emit(builder, args[0])

    return convert


def _pointer(element):
    """An address as a pointer, which `numba.carray` makes an array of."""

    @intrinsic
    def pointer(typing, address):
        result = types.CPointer(element)
        return result(types.int64), lambda context, builder, signature, args: builder.inttoptr(
            args[0], context.get_value_type(result)
        )

    return pointer


f32_pointer, f64_pointer = _pointer(types.float32), _pointer(types.float64)
u16_pointer, i64_pointer = _pointer(types.uint16), _pointer(types.int64)

bits_to_f32 = _convert(types.float32, types.uint32, lambda b, x: b.bitcast(x, F32))
f32_to_bits = _convert(types.uint32, types.float32, lambda b, x: b.bitcast(x, I32))
half_to_f32 = _convert(types.float32, types.uint16, lambda b, x: b.fpext(b.bitcast(x, F16), F32))
f32_to_half = _convert(types.uint16, types.float32, lambda b, x: b.bitcast(b.fptrunc(x, F16), I16))


@intrinsic
def word(typing, address, k):
    """The int64 at place k from an address."""
    def emit(context, b, signature, args):
        return b.load(b.gep(b.inttoptr(args[0], I64.as_pointer()), [args[1]]), align=8)
    return types.int64(types.int64, types.int64), emit


def _of_python(result, emit):
    """An intrinsic of two words that `emit(python, builder, a, b)` calls Python's own functions with. Needs the GIL."""

    @intrinsic
    def call(typing, a, b):
        def code(context, builder, signature, args):
            python = context.get_python_api(builder)
            found = emit(python, builder, builder.inttoptr(args[0], python.pyobj), args[1])
            return context.get_dummy_value() if result is types.void else builder.ptrtoint(found, I64)

        return result(types.int64, types.int64), code

    return call


def _get_attribute(python, builder, thing, name):
    found = python.object_getattr(thing, builder.inttoptr(name, python.pyobj))
    with builder.if_then(builder.icmp_unsigned("==", found, python.get_null_object())):
        python.err_clear()  # 0 says it; an error left behind would surface later
    return found


def _type_of(python, builder, thing, _):
    found = python.object_type(thing)
    python.decref(found)  # it lives as long as the object does
    return found


# Objects go by their addresses, names too.
get_attribute = _of_python(types.int64, _get_attribute)  # (object, name): to be given back with `release`; 0 for none
release = _of_python(types.void, lambda python, builder, thing, _: python.decref(thing))
type_of = _of_python(types.int64, _type_of)
item = _of_python(types.int64, lambda python, builder, items, k: python.list_getitem(items, k))  # still the list's
append = _of_python(
    types.void, lambda python, builder, items, thing: python.list_append(items, builder.inttoptr(thing, python.pyobj))
)


@intrinsic
def describe(typing, function, tensor, description):
    """Fill a DLTensor with what the Python object at address `tensor` is; 0, or -1 if it is no such tensor.

    `function` is the address of `dltensor_from_py_object_no_sync` of DLPack's exchange API. Needs the GIL.
    """

    def emit(context, builder, signature, args):
        there = ir.FunctionType(I32, [I8.as_pointer()] * 2).as_pointer()
        tensor, description = (builder.inttoptr(arg, I8.as_pointer()) for arg in args[1:])
        status = builder.call(builder.inttoptr(args[0], there), [tensor, description])
        with builder.if_then(builder.icmp_signed("!=", status, I32(0))):
            context.get_python_api(builder).err_clear()
        return status

    return types.int32(types.int64, types.int64, types.int64), emit


# The GPU -----------------------------------------------------------------------


def for_gpu(intrinsic, portable):
    """The GPU's instructions by name.

    `intrinsic` is the CUDA target's decorator. `portable()` says, when code is made, whether it is for chips before
    sm_80, which lack the conversion to bf16.
    """
    words = types.UniTuple(types.uint32, 4)
    pair = types.UniTuple(types.float32, 2)

    def at(builder, address, kind):
        return builder.inttoptr(address, ir.PointerType(kind, 1))  # space 1 is global memory: ld.global, not generic ld

    def read(result, emit):
        @intrinsic
        def ld(typing, address):
            return result(types.int64), lambda context, builder, signature, args: emit(builder, args[0])

        return ld

    def write(value, emit):
        @intrinsic
        def st(typing, address, x):
            def code(context, builder, signature, args):
                emit(builder, *args)
                return context.get_dummy_value()

            return types.void(types.int64, value), code

        return st

    def load(kind, result, align):
        return read(result, lambda b, address: b.load(at(b, address, kind), align=align))

    def store(kind, value, align):
        return write(value, lambda b, address, x: b.store(x, at(b, address, kind), align=align))

    def load_vector(kind, count, result):
        @intrinsic
        def ld(typing, address):
            def emit(context, builder, signature, args):
                vector = builder.load(at(builder, args[0], ir.VectorType(kind, count)), align=16)
                return context.make_tuple(
                    builder, result, [builder.extract_element(vector, I32(k)) for k in range(count)]
                )

            return result(types.int64), emit

        return ld

    def store_vector(kind, count, value):
        def emit(context, builder, signature, args):
            vector = ir.Constant(ir.VectorType(kind, count), ir.Undefined)
            for k in range(count):
                vector = builder.insert_element(vector, args[1 + k], I32(k))
            builder.store(vector, at(builder, args[0], vector.type), align=16)
            return context.get_dummy_value()

        signature = types.void(types.int64, *[value] * count)
        if count == 2:
            return intrinsic(lambda typing, address, a, b: (signature, emit))
        return intrinsic(lambda typing, address, a, b, c, d: (signature, emit))

    def unpack(emit_two):
        @intrinsic
        def two(typing, word):
            def emit(context, builder, signature, args):
                return context.make_tuple(builder, pair, emit_two(builder, args[0]))

            return pair(types.uint32), emit

        return two

    def pack(emit_one):
        @intrinsic
        def one(typing, low, high):
            return types.uint32(*pair), lambda context, builder, signature, args: emit_one(builder, *args)

        return one

    def bf16_halves(b, word):  # a bf16 is the upper half of a float32
        return [b.bitcast(b.shl(word, I32(16)), F32), b.bitcast(b.and_(word, I32(0xFFFF0000)), F32)]

    def f16_halves(b, word):
        halves = b.bitcast(word, ir.VectorType(F16, 2))
        return [b.fpext(b.extract_element(halves, I32(k)), F32) for k in range(2)]

    def bf16_word(b, low, high):
        if not portable():
            kind = ir.FunctionType(I32, [F32, F32])
            return b.call(ir.InlineAsm(kind, "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f"), [high, low])
        return b.or_(_bf16_upper(b, high), b.lshr(_bf16_upper(b, low), I32(16)))

    def f16_word(b, low, high):
        halves = ir.Constant(ir.VectorType(F16, 2), ir.Undefined)
        for k, x in enumerate((low, high)):
            halves = b.insert_element(halves, b.fptrunc(x, F16), I32(k))
        return b.bitcast(halves, I32)

    return SimpleNamespace(
        ld_i64=load(I64, types.int64, 8),
        ld_f32=load(F32, types.float32, 4),
        ld_f64=load(F64, types.float64, 8),
        ld_u16=read(types.uint32, lambda b, a: b.zext(b.load(at(b, a, I16), align=2), I32)),
        ld_f32x4=load_vector(F32, 4, types.UniTuple(types.float32, 4)),
        ld_f64x2=load_vector(F64, 2, types.UniTuple(types.float64, 2)),
        ld_u32x4=load_vector(I32, 4, words),
        st_i32=store(I32, types.int32, 4),
        st_f32=store(F32, types.float32, 4),
        st_f64=store(F64, types.float64, 8),
        st_u16=write(types.uint32, lambda b, a, x: b.store(b.trunc(x, I16), at(b, a, I16), align=2)),
        st_f32x4=store_vector(F32, 4, types.float32),
        st_f64x2=store_vector(F64, 2, types.float64),
        st_u32x4=store_vector(I32, 4, types.uint32),
        bf16x2_unpack=unpack(bf16_halves),
        bf16x2_pack=pack(bf16_word),
        f16x2_unpack=unpack(f16_halves),
        f16x2_pack=pack(f16_word),
        # adds 1 to an int32 and returns what it was
        take_ticket=read(types.int32, lambda b, a: b.atomic_rmw("add", at(b, a, I32), I32(1), "monotonic")),
    )


def _bf16_upper(b, x):
    """float32 to the nearest bf16, ties to even, by integer arithmetic; in the upper half of a word."""
    bits = b.bitcast(x, I32)
    odd = b.and_(b.lshr(bits, I32(16)), I32(1))
    rounded = b.add(bits, b.add(odd, I32(0x7FFF)))
    rounded = b.select(b.fcmp_unordered("uno", x, x), I32(0x7FFF0000), rounded)  # NaN would carry over to infinity
    return b.and_(rounded, I32(0xFFFF0000))
