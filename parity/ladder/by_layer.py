"""What either side is asked once their layers differ: each layer by itself, and what it is fed."""

from parity.ladder import outputs, rungs, single
from parity.ladder.climber import Climber, NotRecordedError
from parity.ladder.rung import Rung
from parity.ladder.rungs import Passes, Start
from parity.readings.cause import Cause


def explained(rung: Rung, a: Climber, b: Climber, start: Start, passes: Passes) -> Rung:
    """The rung of the logits with the causes of every layer that differs by itself.

    Args:
        rung: As it is, broken.
        a: Side A, with the names of B.
        b: Side B.
        start: What both start from.
        passes: Of both sides.
    """
    found: dict[str, list[Cause]] = {}
    wired: list[Cause] = []
    images = {"images": start.images}
    try:
        given, fed = (
            (a.ask(call, images, training=False), b.ask(call, images, training=False))
            for call in ("forward", "fed")
        )
        wired = single.wired(given, fed, start.weights, start.names) if all(fed) else []
        for mode, (of_a, of_b) in passes.items():
            training = mode == "training"
            cut = single.segments(of_a, of_b, start.weights)
            inputs = b.ask("fed", images, training=training)
            to_feed = {**images, **single.to_feed(cut, inputs)}
            forced = a.ask("forced", to_feed, training=training) if inputs else {}
            share, _ = start.tolerance.sums
            pair = outputs.of_one_length(forced, of_b)
            more = single.mistakes(
                cut, start.weights, pair, inputs, share, start.names, training=training
            )
            found |= {layer: causes for layer, causes in more.items() if not found.get(layer)}
    except NotRecordedError:
        pass  # what only repeats itself cannot be fed
    return rungs.with_single_steps(rung, found, wired)
