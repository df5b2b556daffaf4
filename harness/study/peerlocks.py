# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What peers tell of their own locks.

jemalloc prints figures of its mutexes when a program ends, if its environment
asks for them. The other peers that we know tell nothing.
"""
import json

ASK = {"jemalloc": "MALLOC_CONF=stats_print:true,stats_print_opts:Jdalg"}

# Ours and jemalloc's name of a figure. jemalloc 5.3's num_wait is left out: it
# equals num_ops, also where nobody ever waited.
SUMS = (("acquired", "num_ops"), ("contended", "num_spin_acq"),
        ("wait_ns", "total_wait_time"))


def _mutexes(tree):
    """All mutexes in what jemalloc prints: those of the process, of its
    arenas together, and of their size classes."""
    merged = tree["stats.arenas"]["merged"]
    for table in (tree["stats"]["mutexes"], merged["mutexes"]):
        yield from table.values()
    for entry in merged["bins"]:
        yield entry["mutex"]


def told(peer, said):
    """Figures out of what a program wrote to standard error, or None."""
    begin = said.find('{"jemalloc":') if peer == "jemalloc" else -1
    if begin < 0:
        return None
    try:
        tree, _ = json.JSONDecoder().raw_decode(said, begin)
        mutexes = list(_mutexes(tree["jemalloc"]))
        found = {ours: sum(m[theirs] for m in mutexes)
                 for ours, theirs in SUMS}
        found["wait_max_ns"] = max(m["max_wait_time"] for m in mutexes)
    except (ValueError, KeyError, TypeError):
        return None
    return found
