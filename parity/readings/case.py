"""What a reading is given: all that a rung of the ladder holds."""

from dataclasses import dataclass

from parity.arrays import Names, Table


@dataclass(frozen=True)
class Case:
    """What both sides were given, and what either gave for it.

    Attributes:
        names: Of A and B.
        given: What both were given, by name: raw ``images``, ``labels``, weights and so on.
        a: What side A gave.
        b: What side B gave, under the same names.
        where: The layer that is looked at, if it is one.
        training: Whether the sides were asked for what they do in training.
    """

    names: Names
    given: Table
    a: Table
    b: Table
    where: str = ""
    training: bool = False

    @property
    def swapped(self) -> "Case":
        """The same with the sides exchanged."""
        return Case(self.names[::-1], self.given, self.b, self.a, self.where, self.training)
