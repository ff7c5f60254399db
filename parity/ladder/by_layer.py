"""What either side is asked once their layers differ: each layer by itself, and what it is fed."""

from collections.abc import Collection
from dataclasses import replace

from parity.arrays import Table
from parity.ladder import constants, exchange, flow, outputs, rungs, single, unseen
from parity.ladder.climber import Climber, NotRecordedError
from parity.ladder.rung import Rung
from parity.ladder.rungs import Passes, Start
from parity.readings import otherwise, wiring
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
    images, share = {"images": start.images}, start.tolerance.sums[0]
    owners = list(dict.fromkeys(name.partition(".")[0] for name in start.weights))
    try:
        given, fed = (
            (a.ask(call, images, training=False), b.ask(call, images, training=False))
            for call in ("forward", "fed")
        )
        at_work = single.wires(given, fed, start.weights)
        wired = wiring.explain(at_work, owners, start.names) if all(fed) else []
        orders = [flow.by_flow(*side, owners) for side in zip(given, fed, strict=True)]
        orders[0] = flow.alike(orders[0], orders[1], owners)
        within = {name for name in owners if name in fed[1] and name not in fed[0]}  # A's layers
        unjudged = single.several_inputs(fed, share) | (within if fed[0] else set())
        found, cut = _alone((a, b), start, passes, orders, unjudged)
        for stretch in unseen.stretches(cut, given, fed):
            named, parts = unseen.causes(stretch, start.names)
            found = {name: own for name, own in found.items() if name not in parts}
            found[f"before {stretch.fed}"] = named
            rung = rung.without(parts)
            told = {stretch.fed, *parts} if named else set()
            wired = [cause for cause in wired if cause.text.partition(":")[0] not in told]
        differ = {layer for layer, causes in found.items() if causes}
        partners = exchange.exchanged(
            (a, b), cut, differ, (start.images, start.weights), (given[1], fed[1]), share
        )
        if partners:
            found |= {layer: [] for s in cut if s.b[0] in partners for layer in s.b}
            wired = [*wired, exchange.cause(partners, start.names)]
        known = [*rung.causes, *(cause for causes in found.values() for cause in causes)]
        if all(fed) and not wired and all(cause.rounds for cause in known):
            times = constants.COARSER if known else 1.0
            one_shape = outputs.of_one_shape(at_work[0].given, at_work[1].given, start.weights)
            alike = [replace(w, given=g) for w, g in zip(at_work, one_shape, strict=True)]
            wired = otherwise.explain((alike[0], alike[1]), owners, start.names, times)
    except NotRecordedError:
        pass  # what only repeats itself cannot be fed
    return rungs.with_single_steps(rung, found, wired)


def _alone(
    sides: tuple[Climber, Climber],
    start: Start,
    passes: Passes,
    orders: list[list[str]],
    unjudged: Collection[str],
) -> tuple[dict[str, list[Cause]], list[single.Segment]]:
    """What each layer of A does otherwise that is fed what B's is, and how the passes are cut."""
    a, b = sides
    images, share = {"images": start.images}, start.tolerance.sums[0]
    found: dict[str, list[Cause]] = {}
    cut: list[single.Segment] = []
    for mode, tables in passes.items():
        training = mode == "training"
        of_a, of_b = (_ordered(table, order) for table, order in zip(tables, orders, strict=True))
        cut = single.segments(of_a, of_b, start.weights)
        inputs = b.ask("fed", images, training=training)
        to_feed = {**images, **single.to_feed(cut, inputs)}
        forced = a.ask("forced", to_feed, training=training) if inputs else {}
        pair = outputs.of_one_shape(forced, of_b, start.weights)
        more = single.mistakes(
            cut, start.weights, pair, inputs, share, start.names,
            training=training, unjudged=unjudged,
        )  # fmt: skip
        found |= {layer: causes for layer, causes in more.items() if not found.get(layer)}
    return found, cut


def _ordered(table: Table, order: list[str]) -> Table:
    return {name: table[name] for name in order if name in table}
