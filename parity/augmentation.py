"""What both sides can do to training images: names, units and ranges; each does it by itself."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class AugmentationConfig:
    """What is done to training images, another draw for each; all is off by default.

    Attributes:
        rotation: Degrees to either side.
        shear: Degrees to either side.
        scale: Relative size: 0.1 draws from 1 / 1.1 to 1.1, evenly in its logarithm.
        shift: Pixels in each direction.
        elastic: Pixels by which a smooth random field moves a pixel, as root mean square
            (Simard, Steinkraus, Platt 2003).
        smoothness: Of that field: standard deviation in pixels of the Gaussian that smooths it.
        thickness: Pixels by which strokes grow or shrink, up to 1.
        erase: Probability of a blank rectangle, up to half as wide and high as the image.
        dim: Contrast is lowered by a factor from 1 - dim to 1.
        gamma: Grey levels are raised to a power from 1 / (1 + gamma) to 1 + gamma.
        noise: Standard deviation of Gaussian noise.
        invert: Probability of turning ink into paper and paper into ink.

    Raises:
        ValueError: a value outside its range.
    """

    rotation: float = 0.0
    shear: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    elastic: float = 0.0
    smoothness: float = 4.0
    thickness: float = 0.0
    erase: float = 0.0
    dim: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    invert: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            met, expected = 0 <= value < math.inf, "0 or more"
            if name in ("erase", "invert", "dim", "thickness"):
                met, expected = 0 <= value <= 1, "0 to 1"
            elif name in ("rotation", "shear"):
                met, expected = 0 <= value < 90, "degrees from 0 to 90"
            elif name == "smoothness":
                met, expected = value > 0, "more than 0"
            if not met:
                raise ValueError(f"augmentation {name} is {value}; expected {expected}")
