"""A CUDA device that is not there: CPU numbers under the placement rules of a GPU.

torch's ``FakeTensorMode`` will not do here: without a GPU it cannot run ``backward``, it stops at
the first boolean mask or ``float(tensor)``, and it lets a CPU generator draw on the device. With
``fake_cuda()`` every tensor is an ordinary CPU tensor that is noted down as being on one device or
the other. Whole epochs run, masks, sorting and ``item()`` included, and an operation over two
devices raises where a GPU would.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)

aten = torch.ops.aten
CROSSING = {aten.copy_, aten._to_copy, aten.lift_fresh, aten.set_}
"""Operations that may read one device and write another."""
INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index}
"""Operations whose second argument, the indices, may stay on the CPU."""
DEVICE, IS_CUDA, GRADIENT = (
    getattr(Tensor, name).__get__ for name in ("device", "is_cuda", "grad")
)
TO_HOST: set[Any] = {Tensor.numpy, Tensor.__array__}
BACKWARD = {Tensor.backward, torch.autograd.backward, torch.autograd.grad}
ALIASING = {torch.as_tensor, torch.asarray}


class DeviceMismatch(RuntimeError):
    """One operation over two devices."""


@contextmanager
def fake_cuda() -> Iterator[None]:
    """Inside, ``torch.device("cuda")`` is a device like any other, GPU or not.

    What runs inside raises ``DeviceMismatch`` for an operation over two devices, ``TypeError`` for
    a device tensor handed to NumPy.
    """
    state = _State()
    with _Operations(state), _Calls(state):
        yield


class _State:
    """Where every living tensor is, and what the current call implies."""

    def __init__(self) -> None:
        self.default = CPU
        """Where a call puts tensors that have no operand to follow."""
        self.checking = True
        """False in backward: autograd moves gradients between devices by itself."""
        self._places: dict[int, tuple[StorageWeakRef, torch.device]] = {}

    def of(self, tensor: Tensor) -> torch.device | None:
        """The device of a tensor, or None for one that was never given a place."""
        storage = _storage(tensor)
        # The weak reference keeps the address from being used again: an entry is never stale.
        entry = None if storage is None else self._places.get(storage._cdata)
        return None if entry is None else entry[1]

    def put(self, found: Any, device: torch.device, *, moved: bool = True) -> None:
        """Place tensors, and with each its views; ``moved=False`` only those without a place."""
        for tensor in _tensors(found):
            storage = _storage(tensor)
            if storage is not None and (moved or storage._cdata not in self._places):
                reference = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
                self._places[storage._cdata] = (reference, device)

    def common(self, tensors: Iterable[Tensor], operation: object) -> torch.device:
        """The one device of all operands; a scalar on the CPU goes with any device."""
        places = [(self.of(tensor) or CPU, tensor) for tensor in tensors]
        devices = {device for device, tensor in places if device == CUDA or tensor.ndim > 0}
        if len(devices) > 1 and self.checking:
            shapes = ", ".join(f"{tuple(tensor.shape)} on {device}" for device, tensor in places)
            raise DeviceMismatch(f"{operation} over two devices: {shapes}")
        return CUDA if CUDA in devices else CPU


def _storage(tensor: Tensor) -> Any:
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):
        return None  # a sparse tensor has none; it is taken to be where it is needed


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in _leaves(values) if isinstance(leaf, Tensor)]


def _leaves(values: Any) -> Iterator[Any]:
    """What containers hold; torch's own pytrees do the same at several times the cost."""
    if isinstance(values, (list, tuple)):
        for value in values:
            yield from _leaves(value)
    elif isinstance(values, dict):
        for value in values.values():
            yield from _leaves(value)
    else:
        yield values


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Below autograd: checks the operands of every kernel and places what it returns."""

    def __init__(self, state: _State) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._state = state

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        device = self._device(func, args, kwargs)
        if device == CUDA and self._state.checking:
            for value in _leaves((args, kwargs)):
                if isinstance(value, torch.Generator):
                    raise DeviceMismatch(
                        f"{func} draws on {CUDA} from a generator on the CPU; draw on the CPU "
                        f"and move the result with .to(self.run.device)"
                    )
        result = func(*args, **kwargs)
        self._state.put(result, device)
        return result

    def _device(self, func: Any, args: tuple[Any, ...], kwargs: Any) -> torch.device:
        operands = _tensors((args, kwargs))
        if not operands:
            return self._state.default
        if func.overloadpacket in CROSSING:
            return self._state.of(operands[0]) or self._state.default
        if func.overloadpacket in INDEXING:
            device = self._state.common([operands[0], *_tensors(args[2:])], func)
            if device == CPU:  # only a tensor on the device takes indices from the other one
                self._state.common(operands, func)
            return device
        return self._state.common(operands, func)


class _Calls(TorchFunctionMode):
    """Above autograd: what Python sees of devices, and calls that name one."""

    def __init__(self, state: _State) -> None:
        super().__init__()
        self._state = state

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in (DEVICE, IS_CUDA):
            device = self._state.of(args[0]) or CPU
            return device if func == DEVICE else device == CUDA
        if func in TO_HOST and self._state.of(args[0]) == CUDA:
            raise TypeError(f"can't convert {CUDA} device type tensor to numpy; use .cpu() first")
        if func in (Tensor.to, Tensor.cuda, Tensor.cpu):
            return self._move(func, args, kwargs)
        asked = kwargs.get("device")
        if asked is not None:
            kwargs["device"] = CPU
        on_cuda = any(self._state.of(tensor) == CUDA for tensor in _tensors((args, kwargs)))
        with self._during(_named(asked, CUDA if on_cuda else CPU), func not in BACKWARD):
            result = func(*args, **kwargs)
            if asked is not None:
                if func in ALIASING and self._state.of(result) != self._state.default:
                    result = result.clone()
                self._state.put(result, self._state.default)
            elif func == GRADIENT:
                self._state.put(result, self._state.of(args[0]) or CPU)
            elif on_cuda:
                self._state.put(result, CUDA, moved=False)
        return result

    @contextmanager
    def _during(self, default: torch.device, checking: bool) -> Iterator[None]:
        before = self._state.default, self._state.checking
        self._state.default, self._state.checking = default, checking and before[1]
        try:
            yield
        finally:
            self._state.default, self._state.checking = before

    def _move(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        here = self._state.of(args[0]) or CPU
        target = {Tensor.cuda: CUDA, Tensor.cpu: CPU}.get(func, here)
        moved: Tensor = args[0]
        if func == Tensor.to:
            for value in (*args[1:], *kwargs.values()):
                if isinstance(value, Tensor):
                    target = self._state.of(value) or CPU
                elif isinstance(value, (str, torch.device)):
                    target = _named(value, here)
            rest = [_local(value) for value in args[1:]]
            moved = moved.to(*rest, **{key: _local(value) for key, value in kwargs.items()})
        if target != here and self._state.of(moved) == self._state.of(args[0]):
            moved = moved.clone()
        self._state.put(moved, target)
        return moved


def _local(value: Any) -> Any:
    return CPU if isinstance(value, (str, torch.device)) else value


def _named(device: Any, otherwise: torch.device) -> torch.device:
    if device is None:
        return otherwise
    return CPU if torch.device(device).type == "cpu" else CUDA
