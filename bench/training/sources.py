"""Where the inputs of a training come from: the device's memory, or a memory map read ahead.

Both sources give the same numbers for the same positions, so that a training does not know which of
them it has. Labels are small and always lie on the device.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from bench.api import Foreign

Array = np.ndarray[Any, Any]
Rows = Tensor | slice
"""Positions ``(b,)`` int64 or a mask ``(n,)`` bool, on any device; or a slice."""

PREFETCH = 2
"""Batches that are read ahead of the one in use."""
BLOCK_BYTES = 2**26
"""Of the blocks in which inputs are copied to the device."""


class Inputs(Protocol):
    """Some samples' inputs: images ``(n, c, h, w)`` uint8, or features ``(n, d)`` float32."""

    device: torch.device

    @property
    def shape(self) -> torch.Size:
        """``(n, c, h, w)`` or ``(n, d)``."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """``uint8`` or ``float32``."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Rows) -> Tensor:
        """A copy of some inputs on the device. Raises ``IndexError`` outside of them."""
        ...

    def at(self, rows: Rows) -> Inputs:
        """Some of the samples as a source of its own."""
        ...

    def ahead(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """The same batches of positions, on the device, while the next ones are being read.

        Give ``[]`` the very tensors that this yields; what else is asked for is read when asked.
        """
        ...

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All inputs in order, ``size`` at a time."""
        ...


class Resident:
    """Inputs in the device's memory."""

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.device = values.device

    @property
    def shape(self) -> torch.Size:
        """``(n, c, h, w)`` or ``(n, d)``."""
        return self.values.shape

    @property
    def dtype(self) -> torch.dtype:
        """``uint8`` or ``float32``."""
        return self.values.dtype

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Rows) -> Tensor:
        return self.values[rows].clone() if isinstance(rows, slice) else self.values[rows]

    def at(self, rows: Rows) -> Resident:
        """Some of the samples."""
        return Resident(self.values[rows])

    def ahead(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """The same batches of positions, on the device."""
        for index in batches:
            # A plain copy to a GPU would wait until it has done all that it was told.
            yield index.to(self.device, non_blocking=self.device.type == "cuda")

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All inputs in order, ``size`` at a time; views, not copies."""
        yield from torch.split(self.values, size)


class Stored:
    """Inputs as they were prepared, with those that a noise put in the place of others.

    Args:
        inputs: ``(n, h, w, c)`` uint8 or ``(n, d)`` float32, perhaps a memory map.
        foreign: what replaces some of them.
    """

    def __init__(self, inputs: Array, foreign: Foreign | None = None) -> None:
        self._inputs = np.asarray(inputs)
        self._foreign = foreign
        if foreign is not None:
            self._place = np.full(len(inputs), -1, dtype=np.int64)
            self._place[foreign.rows] = np.arange(len(foreign.rows))

    def __len__(self) -> int:
        return len(self._inputs)

    @property
    def nbytes(self) -> int:
        """Of all inputs."""
        return int(self._inputs.nbytes)

    @property
    def sides(self) -> tuple[int, ...]:
        """Of a sample as networks see it: ``(c, h, w)`` or ``(d,)``."""
        shape = self._inputs.shape[1:]
        return (shape[2], *shape[:2]) if len(shape) == 3 else shape

    @property
    def dtype(self) -> torch.dtype:
        """``uint8`` or ``float32``."""
        return torch.uint8 if self._inputs.dtype == np.uint8 else torch.float32

    def read(self, rows: Array, *, pinned: bool = False) -> Tensor:
        """Inputs ``(b, h, w, c)`` or ``(b, d)`` at positions ``(b,)``, a copy on the CPU."""
        shape = (len(rows), *self._inputs.shape[1:])
        found = torch.empty(shape, dtype=self.dtype, pin_memory=pinned)
        if self._inputs.flags.c_contiguous:
            # With another mode NumPy collects the rows in an array of its own first.
            np.take(self._inputs, rows, axis=0, out=found.numpy(), mode="clip")
        else:  # of such an array take() would copy everything
            found.numpy()[:] = self._inputs[rows]
        if self._foreign is not None:
            place = self._place[rows]
            found.numpy()[place >= 0] = self._foreign.inputs[place[place >= 0]]
        return found


@dataclass(frozen=True)
class _Batch:
    """A batch on its way to the device.

    Attributes:
        values: as stored, on the device when ``copied`` has happened.
        copied: the end of the copy on the stream of its own; None where nothing is copied aside.
    """

    values: Tensor
    copied: torch.cuda.Event | None = None


class Streamed:
    """Inputs in a file, read batch by batch; a thread reads ahead and copies to the device.

    Args:
        stored: all inputs of the file.
        device: where batches are wanted.
        rows: positions ``(n,)`` of the samples of this source; None for all.
        reader: the thread, shared by the sources of one file.
    """

    def __init__(
        self,
        stored: Stored,
        device: torch.device,
        rows: Array | None = None,
        reader: ThreadPoolExecutor | None = None,
    ) -> None:
        self.device = device
        self._stored = stored
        self._rows = np.arange(len(stored)) if rows is None else rows
        self._reader = reader or ThreadPoolExecutor(1, thread_name_prefix="inputs")
        self._coming: dict[int, tuple[Tensor, int, Future[_Batch]]] = {}
        self._aside = (
            torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            if device.type == "cuda" and torch.cuda.is_available()
            else None
        )

    @property
    def shape(self) -> torch.Size:
        """``(n, c, h, w)`` or ``(n, d)``."""
        return torch.Size((len(self), *self._stored.sides))

    @property
    def dtype(self) -> torch.dtype:
        """``uint8`` or ``float32``."""
        return self._stored.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Rows) -> Tensor:
        found = self._announced(rows) if isinstance(rows, Tensor) else None
        batch = self._fetch(self._positions(rows)) if found is None else found.result()
        if batch.copied is not None:
            now = torch.cuda.current_stream(self.device)
            now.wait_event(batch.copied)
            batch.values.record_stream(now)
        values = batch.values.to(self.device)
        if values.ndim == 4:
            values = values.permute(0, 3, 1, 2)
        # A copy, because the batch may be asked for again.
        return values.clone(memory_format=torch.contiguous_format)

    def at(self, rows: Rows) -> Streamed:
        """Some of the samples; nothing is read."""
        return Streamed(self._stored, self.device, self._positions(rows), self._reader)

    def ahead(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """The same batches of positions, on the device, while the next two are being read."""
        window = deque[Tensor]()
        try:
            for batch in batches:
                index = batch.to(self.device)
                self._announce(index, batch)
                window.append(index)
                if len(window) > PREFETCH:
                    yield window[0]
                    self._forget(window.popleft())
            while window:
                yield window[0]
                self._forget(window.popleft())
        finally:
            for index in window:
                self._forget(index)

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All inputs in order, ``size`` at a time."""
        for index in self.ahead(torch.split(torch.arange(len(self)), size)):
            yield self[index]

    def loaded(self) -> Resident:
        """The same samples in the device's memory."""
        values = torch.empty(self.shape, dtype=self.dtype, device=self.device)
        size = max(1, BLOCK_BYTES // max(1, values[:1].nbytes))
        for start in range(0, len(self), size):
            block = self._stored.read(self._rows[start : start + size]).to(self.device)
            values[start : start + size] = block.permute(0, 3, 1, 2) if block.ndim == 4 else block
        return Resident(values)

    def _announce(self, index: Tensor, batch: Tensor) -> None:
        try:
            rows = self._positions(batch)
        except IndexError:  # positions in something else, of which no inputs will be asked for
            return
        self._coming[id(index)] = (index, index._version, self._reader.submit(self._fetch, rows))

    def _fetch(self, rows: Array) -> _Batch:
        """Read positions of the file, and start the copy to a GPU."""
        if self._aside is None:
            return _Batch(self._stored.read(rows))
        host = self._stored.read(rows, pinned=True)
        with torch.cuda.stream(self._aside):
            values = host.to(self.device, non_blocking=True)
            return _Batch(values, self._aside.record_event())

    def _positions(self, rows: Rows) -> Array:
        """Positions in the file."""
        chosen = rows if isinstance(rows, slice) else rows.cpu().numpy()
        return np.asarray(self._rows[chosen])

    def _announced(self, index: Tensor) -> Future[_Batch] | None:
        known, version, future = self._coming.get(id(index), (None, 0, None))
        # A batch of positions that was written to since is another one.
        return future if known is index and version == index._version else None

    def _forget(self, index: Tensor) -> None:
        self._coming.pop(id(index), None)
