"""What may be given to the layer: each error names the argument, the rule and what was given."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np


def checked_axis(axis: Any) -> int | tuple[int, ...]:
    """Axis or axes as whole numbers; their range is known once the input is."""
    several = isinstance(axis, Sequence) and not isinstance(axis, str)
    axes = [_number(one) for one in (axis if several else [axis])]
    if not axes or any(one is None or one != one // 1 for one in axes):
        raise ValueError(f"axis: must be a whole number or a sequence of one or more, got {axis!r}")
    return tuple(map(int, axes)) if several else int(axes[0])


def checked_size(name: str, size: Any) -> int:
    """Size as a whole number above 0."""
    number = _number(size)
    if not isinstance(number, Integral) or number < 1:
        raise ValueError(f"{name}: must be a whole number above 0, got {size!r}")
    return int(number)


def checked_between(name: str, value: Any, low: float, high: float, otherwise: str = "") -> float:
    """Value as a number from low to high; `otherwise`: what else is allowed."""
    number = _number(value)
    if number is None or not low <= number <= high:
        raise ValueError(f"{name}: must be a number from {low} to {high}{otherwise}, got {value!r}")
    return float(number)


def checked_clipping(clipping: dict[str, Any]) -> dict[str, float]:
    """Limits for batch renormalization's r and d, those given as None left out."""
    allowed = ("rmin", "rmax", "dmax")
    if unknown := sorted(set(clipping) - set(allowed)):
        raise ValueError(f"renorm_clipping: Received invalid keys {unknown}, allowed are {', '.join(allowed)}")
    limits = {key: _number(value) for key, value in clipping.items() if value is not None}
    if bad := [key for key, limit in limits.items() if limit is None or limit != limit]:
        raise ValueError(f"renorm_clipping: {bad[0]} must be a number or None, got {clipping[bad[0]]!r}")
    rmin, rmax, dmax = (limits.get(key) for key in allowed)
    if rmin is not None and rmax is not None and rmax < rmin:
        raise ValueError(f"renorm_clipping: rmax should be at least rmin={rmin}, got rmax={rmax}")
    if dmax is not None and dmax < 0:
        raise ValueError(f"renorm_clipping: dmax should be non-negative, got dmax={dmax}")
    return limits


def _number(value: Any) -> Any:
    """The number that this is, or that an array or tensor without axes holds; else None."""
    if getattr(value, "shape", None) == ():
        value = np.asarray(value).item()
    return value if isinstance(value, Real) and not isinstance(value, bool) else None
