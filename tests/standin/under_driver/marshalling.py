"""Kernels get the bytes that numba's own launch sends for the same arguments."""

import numba
import pytest
import torch
from numba import cuda

from syllabary.errors import BadInput
from syllabary.messages.backends.cuda import arguments, launch
from syllabary.messages.backends.cuda import driver as driver_module


class Exposed:
    """A tensor of the processor as a GPU's array; torch exposes its own in the same words."""

    def __init__(self, tensor):
        size = tensor.element_size()
        self.__cuda_array_interface__ = {
            "shape": tuple(tensor.shape),
            "strides": None if tensor.is_contiguous() else tuple(s * size for s in tensor.stride()),
            "typestr": {torch.float32: "<f4", torch.float64: "<f8", torch.int64: "<i8"}[tensor.dtype],
            "data": (tensor.data_ptr(), False),
            "version": 2,
        }


def as_numba_sees(part):
    if isinstance(part, tuple):
        return tuple(map(as_numba_sees, part))
    return cuda.as_cuda_array(Exposed(part)) if isinstance(part, torch.Tensor) else part


def two(a, b):
    pass


def single(a):
    pass


def six(a, b, c, d, e, f):
    pass


F32, F64, I64 = (
    torch.zeros(3, 4, 5, 6, dtype=kind) for kind in (torch.float32, torch.float64, torch.int64)
)
CASES = {
    "one axis": (single, (F32[0, 0, 0],)),
    "float64, two axes": (single, (F64[0, 0],)),
    "integers, three axes": (single, (I64[0],)),
    "four axes": (single, (F32,)),
    "no entries": (single, (F32[:0],)),
    "every second": (single, (F32[0, 0, 0, ::2],)),
    "transposed": (single, (F64[0, 0].mT,)),
    "transposed matrices": (single, (F64[0].mT,)),
    "a middle axis of a batch": (single, (F32[:, 1:3],)),
    "shared by all": (single, (F32[:1, 0].expand(7, 5, 6),)),
    "an axis of one entry": (single, (F32[:1, :, :1],)),
    "numbers": (two, (F32[0, 0, 0], (7, 2.5))),
    "negative numbers": (two, (F32[0, 0, 0], (-(2**40), -1e-300))),
    "a tuple of like arrays": (two, ((F32[0], F32[1]), 1)),
    "a tuple of unlike arrays": (two, ((F32, F64[0, 0].mT, I64[0, 0, 0], 3), 0.5)),
    "tuples in tuples": (two, (((F32, 1), (F64, (I64, 2.0))), (1, 2))),
    "all together": (six, (F32, (F64[0], I64[0, 0]), (64, 384), 1e9, F32[0].mT, (F64, F64))),
}


@pytest.mark.parametrize("case", CASES)
def test_a_launch_sends_the_bytes_that_numba_sends(case, driver):
    function, values = CASES[case]
    kernel = cuda.jit(function)
    kernel[(3, 2), 64, 0, 128](*map(as_numba_sees, values))
    launch.launch(kernel, ((3, 2), 64, 128), *values)
    theirs, ours = driver.launches()
    assert len(theirs.params) >= 8 * len(values)
    assert ours == theirs


@pytest.mark.parametrize("case", CASES)
def test_a_kernel_is_compiled_for_the_types_that_numba_finds(case):
    """But for arrays whose first axis is dense, which numba may compile apart from others with gaps."""
    values = CASES[case][1]
    signature = arguments.flatten(values, -1, [])
    theirs = tuple(numba.typeof(as_numba_sees(part)) for part in values)
    assert str(arguments.types_of(signature, cuda.types)) == str(theirs).replace("'F'", "'A'")


def test_arguments_that_are_packed_once_are_the_same_arguments(driver):
    function, values = CASES["all together"]
    kernel = cuda.jit(function)
    launch.launch(kernel, (1, 32, 0), *values)
    launch.launch(kernel, (1, 32, 0), *launch.packed(values[:2]), values[2], *launch.packed(values[3:]))
    plain, packed = driver.launches()
    assert packed == plain


def test_numbers_land_where_the_kernel_reads_them(driver):
    launch.launch(cuda.jit(two), (1, 32, 0), F32[:, 1:3], 2.5)
    words = memoryview(driver.launches()[0].params).cast("q")
    part = F32[:, 1:3]
    assert list(words[:5]) == [0, 0, part.numel(), 4, part.data_ptr()]
    assert list(words[5:13]) == [3, 2, 5, 6, 480, 120, 24, 4]
    assert memoryview(driver.launches()[0].params).cast("d")[13] == 2.5


def test_a_launch_goes_to_the_stream_and_the_device_of_its_tensors(driver, monkeypatch):
    from cuda.bindings import driver as calls

    kernel = cuda.jit(single)
    launch.launch(kernel, (1, 32, 0), F32)
    before = calls.cuCtxGetCurrent()
    monkeypatch.setattr(launch, "place", lambda tensor: (1, 0xABC0))
    launch.launch(kernel, (1, 32, 0), F32)
    first, second = driver.launches()
    assert (first.stream, second.stream) == (0, 0xABC0)
    assert first.context != second.context
    assert str(calls.cuCtxGetCurrent()) == str(before)


def test_tensors_of_another_device_are_refused():
    with pytest.raises(BadInput, match=r"is on cpu, but .* device 1 .* with \.to\(\)"):
        arguments.flatten((3, (F32,)), 1, [])


def test_a_kernel_that_reads_other_words_is_refused(driver, monkeypatch):
    """As one of the compiler's successor does, whose arrays are two words shorter."""
    kernel = cuda.jit(two)
    monkeypatch.setattr(driver_module, "words_format", lambda signature: "qqqqqq")
    with pytest.raises(BadInput, match=r"other than the 6 words .* SYLLABARY_CUDA_COMPILER"):
        launch.launch(kernel, (1, 32, 0), F32, 3)
    assert driver.count("launches") == 0


def test_tensors_of_the_processor_are_refused():
    with pytest.raises(BadInput, match="needs tensors of an NVIDIA GPU"):
        launch.launch(cuda.jit(single), (1, 32, 0), F32)
