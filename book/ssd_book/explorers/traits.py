"""Traits that refuse what cannot be drawn: inverted boxes and numbers that are not finite."""

import math
from collections.abc import Sequence

import traitlets

from ssd_tutorial.boxes import box_problem


class Box(traitlets.TraitType):
    """A box, xyxy in fractions of the picture: a list of four numbers."""

    info_text = "a box [xmin, ymin, xmax, ymax] in fractions of the picture"

    def validate(self, obj, value):
        """Return the box as a list of floats. Raises `TraitError`, which names the broken rule."""
        if problem := _problem(value):
            raise traitlets.TraitError(f"{type(obj).__name__}.{self.name}: {problem}")
        return [float(number) for number in value]


class Boxes(traitlets.TraitType):
    """A list of such boxes, of length `fewest` to `most`."""

    info_text = "a list of boxes [xmin, ymin, xmax, ymax] in fractions of the picture"

    def __init__(self, default_value, *, fewest: int = 0, most: int = 100, **kwargs):
        self._bounds = fewest, most
        super().__init__(default_value, **kwargs)

    def validate(self, obj, value):
        """Return the boxes as lists of floats. Raises `TraitError`, which names box and rule."""
        where = f"{type(obj).__name__}.{self.name}"
        value = value.tolist() if hasattr(value, "tolist") else value
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise traitlets.TraitError(f"{where} must be {self.info_text}, not {value!r}")
        fewest, most = self._bounds
        if not fewest <= len(value) <= most:
            raise traitlets.TraitError(f"{where} takes {fewest} to {most} boxes, not {len(value)}")
        for index, box in enumerate(value):
            if problem := _problem(box):
                raise traitlets.TraitError(f"{where}, box {index}: {problem}")
        return [[float(number) for number in box] for box in value]


class Number(traitlets.Float):
    """A finite number between `min` and `max`."""

    def validate(self, obj, value):
        """Return the number. Raises `TraitError` if it is not finite or out of bounds."""
        value = super().validate(obj, float(value) if isinstance(value, int) else value)
        if not math.isfinite(value):
            raise traitlets.TraitError(f"{type(obj).__name__}.{self.name} must be finite")
        return value


def _problem(box) -> str | None:
    """Return what is wrong with a box; None if nothing is."""
    box = box.tolist() if hasattr(box, "tolist") else box
    if not isinstance(box, Sequence) or isinstance(box, str) or len(box) != 4:
        return f"a box is four numbers [xmin, ymin, xmax, ymax], not {box!r}"
    try:
        numbers = [float(number) for number in box]
    except (TypeError, ValueError):
        return f"a box is four numbers, not {box!r}"
    if problem := box_problem(numbers):
        return f"{box}: {problem}"
    if min(numbers) < -1 or max(numbers) > 2:
        return f"{box}: corners are fractions of the picture; divide pixels by its width and height"
    return None
