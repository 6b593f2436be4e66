"""The instructions the kernels are written in: the GPU's, or their twins where Numba simulates CUDA.

Which of the two was settled when Numba was imported, by NUMBA_ENABLE_CUDASIM.
"""

from numba.core import config

SIMULATED = bool(config.ENABLE_CUDASIM)
before_sm_80 = False  # set before the first kernel is compiled

if SIMULATED:
    from . import swapping, warps
    from . import twins as _names

    warps.install()
    swapping.install()
else:
    from numba.cuda.extending import intrinsic

    from ..intrinsics import for_gpu

    _names = for_gpu(intrinsic, portable=lambda: before_sm_80)

ld_i64, ld_f32, ld_f64, ld_u16 = _names.ld_i64, _names.ld_f32, _names.ld_f64, _names.ld_u16
ld_f32x4, ld_f64x2, ld_u32x4 = _names.ld_f32x4, _names.ld_f64x2, _names.ld_u32x4
st_i32, st_f32, st_f64, st_u16 = _names.st_i32, _names.st_f32, _names.st_f64, _names.st_u16
st_f32x4, st_f64x2, st_u32x4 = _names.st_f32x4, _names.st_f64x2, _names.st_u32x4
bf16x2_unpack, bf16x2_pack = _names.bf16x2_unpack, _names.bf16x2_pack
f16x2_unpack, f16x2_pack = _names.f16x2_unpack, _names.f16x2_pack
take_ticket = _names.take_ticket
