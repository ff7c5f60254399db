"""Peak memory of a process that reads the data and trains: each competitor by itself."""

from typing import Any

from benchmarks.competitors import PLAIN, chosen
from benchmarks.crew import crew
from benchmarks.setting import Setting

WITH_CHILDREN = "lightning, 2 workers"
"""Left out: its data are in processes of their own, whose memory is partly shared."""


def measure(setting: Setting) -> list[dict[str, Any]]:
    """MiB of each competitor, by network."""
    groups = []
    alone = {name: member for name, member in PLAIN.items() if name != WITH_CHILDREN}
    members, skipped = chosen(alone, setting.competitors)
    for size, network in setting.networks.items():
        peaks = {}
        with setting.progress(f"memory {size}", len(members)) as advance:
            for name, member in members.items():
                advance(name)
                one = {name: (member, member.work(setting.work.on(network)))}
                with crew(one, setting.threads, setting.logs(f"memory {size}")) as (workers, _):
                    peaks[name] = workers[name].ask(run=True)["peak_mib"]
        groups.append({"network": network.name, "size": size, "mib": peaks, "skipped": skipped})
    return groups
