"""Seconds of an epoch, everybody against the bare loop, with and without augmentation."""

from typing import Any

from benchmarks.competitors import AUGMENTED, PLAIN, chosen
from benchmarks.rounds import alternate
from benchmarks.setting import Setting


def measure(setting: Setting) -> list[dict[str, Any]]:
    """A group for each network and augmentation: who took how long."""
    groups = []
    for name, network in setting.networks.items():
        for augmentation, catalogue in (("none", PLAIN), ("affine and elastic", AUGMENTED)):
            members, skipped = chosen(catalogue, setting.competitors)
            work = setting.work.on(network)
            if catalogue is AUGMENTED and not any(item.augmented for item in members.values()):
                continue  # nobody was asked for
            works = {key: member.work(work) for key, member in members.items()}
            label = f"epoch {name}" + (" augmented" if catalogue is AUGMENTED else "")
            groups.append(
                {
                    "network": network.name,
                    "size": name,
                    "batch_size": work.batch_size,
                    "images": work.images,
                    "steps": work.steps,
                    "augmentation": augmentation,
                    "competitors": alternate(setting, members, works, label),
                    "skipped": skipped,
                }
            )
    return groups
