"""A device that is not there: tensors that claim to lie elsewhere, and are computed on the processor.

A ``Far`` tensor holds an ordinary one, claims the device ``DEVICE``, and refuses what a GPU's tensor
refuses: operations with tensors of the processor, NumPy's view, and sums that a GPU adds up in no fixed
order. Values are those of the processor, so that whole steps can be compared bit for bit.
"""

from functools import partial
from types import SimpleNamespace

import torch
from torch.nn.utils.stateless import _reparametrize_module
from torch.utils._python_dispatch import TorchDispatchMode

# A device of torch that needs no library of its own and that nothing here uses.
DEVICE = torch.device("lazy")
aten = torch.ops.aten
# Indices may lie on the processor beside a GPU's tensor, and copies may go to a GPU.
TAKES_NEAR = {aten.index.Tensor, aten.index_put_.default, aten._index_put_impl_.default}
UPLOADS = {aten.copy_.default}
# Of floating numbers, on a GPU, with deterministic algorithms: torch raises.
UNORDERED = {aten.cumsum.default, aten.cumprod.default, aten.histc.default}


class MixedDevices(RuntimeError):
    """An operation that a GPU would refuse."""


class Far(torch.Tensor):
    """A tensor of another device."""

    @staticmethod
    def __new__(cls, inner):
        result = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
            # Asked of the tensor within, for some operations change it.
            dispatch_sizes_strides_policy="sizes",
        )
        result.inner = inner
        return result

    def __repr__(self):
        return f"Far({self.inner})"

    def numpy(self, *, force=False):
        raise MixedDevices("NumPy sees no memory of another device; use .cpu() first")

    __array__ = numpy

    def new_tensor(self, data, **options):
        return torch.tensor(data, **{"dtype": self.dtype, **options}).to(DEVICE)

    def tolist(self):
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return computed(function, args, kwargs or {})


class FarDevice(TorchDispatchMode):
    """While it is entered, tensors can be made on ``DEVICE`` and moved there and back."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return computed(function, args, kwargs or {})


def near(value):
    """The ordinary tensor that a far one holds; anything else as it is."""
    return value.inner if isinstance(value, Far) else value


def far(value):
    """An ordinary tensor as a far one; anything else as it is."""
    return Far(value) if isinstance(value, torch.Tensor) else value


def computed(function, args, kwargs):
    """Run an operation on the ordinary tensors within, and claim its results for the device."""
    leaves = []
    inner = [each(partial(_noted, leaves), part) for part in args]
    options = {name: each(partial(_noted, leaves), part) for name, part in kwargs.items()}
    inside = {id(leaf.inner): leaf for leaf in leaves if isinstance(leaf, Far)}
    is_far = bool(inside)
    if kwargs.get("device") is not None:
        is_far = kwargs["device"].type == DEVICE.type
        options["device"] = torch.device("cpu") if is_far else kwargs["device"]
    elif inside:
        _require_together(function, args, leaves)
    result = function(*inner, **options)
    if not is_far:
        return result

    def claimed(value):
        return inside[id(value)] if id(value) in inside else far(value)

    return each(claimed, result)


def each(function, value):
    """Apply a function to all values in lists, tuples and records."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(each(function, part) for part in value))
    if isinstance(value, (list, tuple)):
        return type(value)(each(function, part) for part in value)
    return function(value)


def _noted(leaves, value):
    """Note a tensor, and return the ordinary one within."""
    if isinstance(value, torch.Tensor):
        leaves.append(value)
    return near(value)


def _require_together(function, args, leaves):
    mixed = [leaf for leaf in leaves if not isinstance(leaf, Far) and leaf.dim()]
    if function in TAKES_NEAR:
        mixed = [part for part in (args[0], *args[2:3]) if isinstance(part, torch.Tensor)]
        mixed = [part for part in mixed if not isinstance(part, Far) and part.dim()]
        # The other way round, an index of a GPU's does not reach the processor's memory.
    if mixed and not (function in UPLOADS and isinstance(args[0], Far)):
        raise MixedDevices(f"{function} of tensors on several devices")
    if function in UNORDERED and args[0].is_floating_point():
        raise MixedDevices(f"{function} of floating numbers has no fixed order on a GPU")
    if function is aten.bincount.default and len(args) > 1 and args[1] is not None:
        raise MixedDevices("bincount with weights has no fixed order on a GPU")


class Inline:
    """A pool of threads that has none: the mode above is that of one thread."""

    def __init__(self, workers):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    map = staticmethod(map)


def _slopes(original, expected, around):
    """Derivatives by torch.func, which knows no such tensors, on the ordinary ones within."""
    if not isinstance(around, Far):
        return original(expected, around)
    view = expected.__self__
    state = dict(view.decoder.named_parameters()) | dict(view.decoder.named_buffers())
    view = view._replace(**{name: near(part) for name, part in view._asdict().items()})
    with _reparametrize_module(view.decoder, {name: near(part) for name, part in state.items()}):
        return each(far, original(view.expected, near(around)))


def install(monkeypatch):
    """Let kernels run on the tensors within, and steps take ``DEVICE``; return the mode to enter."""
    from syllabary import devices
    from syllabary.messages import dispatch
    from syllabary.priors.blocks import filtering
    from syllabary.svae.scores import observation_models
    from syllabary.svae.training import clamped, em

    find, sum_rows = dispatch._find, dispatch.sum_rows

    def backend(folder, name):
        module = find(folder, "cpu" if name == "reference" else name)

        def unwrapped(kernel):
            return lambda *args: kernel(*each(near, args))

        names = [name for name in dir(module) if callable(getattr(module, name))]
        return SimpleNamespace(**{name: unwrapped(getattr(module, name)) for name in names})

    def whole(function):
        return lambda *args: each(far, function(*each(near, args)))

    def summed(array):
        return Far(sum_rows(array.inner)) if isinstance(array, Far) else sum_rows(array)

    monkeypatch.setattr(dispatch, "_find", backend)
    monkeypatch.setattr(dispatch, "sum_rows", summed)
    monkeypatch.setattr(observation_models, "_slopes", partial(_slopes, observation_models._slopes))
    # A loop over frames, outside the backends.
    monkeypatch.setattr(filtering, "filter", whole(filtering.filter))
    for module in (clamped, em):
        monkeypatch.setattr(module, "ThreadPoolExecutor", Inline)
    monkeypatch.setattr(
        devices, "use", lambda setting: DEVICE if setting == "cuda" else torch.device("cpu")
    )
    return FarDevice()
