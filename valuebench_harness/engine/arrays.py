"""An immutable array: what a steering vector is while it is data."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from valuebench_harness.errors import UsageError


class FrozenArray:
    """An immutable float32 array with value semantics.

    Two arrays are equal when their shapes and bytes are; hashing uses the same
    digest. So plans that hold vectors can be dictionary keys and cache keys.

    Args:
        values: anything numpy turns into a float32 array; it is copied.

    Raises:
        UsageError: a value is not finite, or is no number.
    """

    def __init__(self, values: NDArray[Any] | Sequence[float] | float) -> None:
        try:
            array = np.array(values, dtype=np.float32, order="C", copy=True)
        except (TypeError, ValueError) as error:
            raise UsageError(f"A steering parameter is no array of numbers: {error}.") from None
        if not np.isfinite(array).all():
            raise UsageError(f"A steering parameter of shape {array.shape} holds values that are not finite.")
        array.setflags(write=False)
        self._array: NDArray[np.float32] = array

    @property
    def array(self) -> NDArray[np.float32]:
        """The values, read-only."""
        return self._array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self._array.shape

    @cached_property
    def digest(self) -> str:
        """SHA-256 of shape and little-endian bytes, in hex."""
        digest = hashlib.sha256(repr(self.shape).encode())
        digest.update(self._array.astype("<f4").tobytes())
        return digest.hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """A JSON value; base64 keeps the bits, which decimal text need not."""
        data = base64.b64encode(self._array.astype("<f4").tobytes()).decode()
        return {"shape": list(self.shape), "float32": data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FrozenArray:
        """Reads what `to_dict` wrote.

        Raises:
            UsageError: the record is malformed.
        """
        try:
            flat = np.frombuffer(base64.b64decode(data["float32"], validate=True), dtype="<f4")
            return cls(flat.reshape([int(n) for n in data["shape"]]))
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise UsageError(f"A stored steering parameter is malformed: {error!r}.") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrozenArray) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"FrozenArray(shape={self.shape}, digest={self.digest[:8]})"
