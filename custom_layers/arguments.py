"""What may be given to the layer: each error names the argument, the rule and what was given."""

import operator
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any


def checked_axis(axis: int | Sequence[int]) -> int | tuple[int, ...]:
    """Axis or axes as whole numbers; their range is known once the input is."""
    try:
        if not isinstance(axis, Sequence):
            return operator.index(axis)
        if axis and not isinstance(axis, str):
            return tuple(operator.index(one) for one in axis)
    except TypeError:
        pass
    raise ValueError(f"axis: must be a whole number or a sequence of one or more, got {axis!r}")


def checked_size(name: str, size: Any) -> int:
    """Size as a whole number above 0."""
    if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
        raise ValueError(f"{name}: must be a whole number above 0, got {size!r}")
    return int(size)


def check_between(name: str, value: Any, low: float, high: float, otherwise: str = "") -> None:
    """Raises unless the value is a number from low to high; `otherwise`: what else is allowed."""
    if not isinstance(value, Real) or isinstance(value, bool) or not low <= float(value) <= high:
        raise ValueError(f"{name}: must be a number from {low} to {high}{otherwise}, got {value!r}")


def check_clipping(clipping: dict[str, float]) -> None:
    """Raises unless these are limits for batch renormalization's r and d."""
    allowed = ("rmin", "rmax", "dmax")
    if unknown := sorted(set(clipping) - set(allowed)):
        raise ValueError(f"renorm_clipping: Received invalid keys {unknown}, allowed are {', '.join(allowed)}")
    rmin, rmax, dmax = (clipping.get(key) for key in allowed)
    if rmin is not None and rmax is not None and rmax < rmin:
        raise ValueError(f"renorm_clipping: rmax should be at least rmin={rmin}, got rmax={rmax}")
    if dmax is not None and dmax < 0:
        raise ValueError(f"renorm_clipping: dmax should be non-negative, got dmax={dmax}")
