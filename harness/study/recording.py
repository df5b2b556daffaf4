# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What `pmalloc record` keeps and `pmalloc report` shows.

A directory with record.json, and what the tracer wrote beside it.
"""
import json
import os

import common
import view

DIRECTORY = "pmalloc.record"
FILE = "record.json"
FORMAT = 1


def umask():
    """What the user does not allow others."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


class Recording:
    """Waits of one process, with everything that is known of them."""

    def __init__(self, program, pid, seconds, tracer, missing, harvest, names,
                 before, after, least_us, trouble=(), children=0):
        self.data = {
            "format": FORMAT, "program": program, "pid": pid,
            "seconds": seconds, "tracer": tracer, "missing": missing,
            "trouble": list(trouble), "children": children,
            "least_us": least_us, "lost": harvest.lost if harvest else 0,
            "events": harvest.events if harvest else {},
            "names": {str(tid): name for tid, name in names.items()},
            "counters": counters(before, after),
            "waits": waits_of(harvest) if harvest else [],
        }

    def save(self, directory):
        """Write it."""
        with open(os.path.join(directory, FILE), "w",
                  encoding="utf-8") as file:
            json.dump(self.data, file, indent=1)
            file.write("\n")

    def in_short(self):
        """One line on what there is."""
        return in_short(self.data)


def in_short(data):
    """One line on a recording."""
    if data["tracer"]:
        count = sum(w["waits"] for w in data["waits"])
        text = "%d waits, %s in all" % (
            count, view.duration(sum(w["wait_ns"] for w in data["waits"])))
        if data["lost"]:
            text += "; %d more events were lost (--min-wait leaves short " \
                "waits out)" % data["lost"]
        return text
    if data["counters"]:
        arenas = data["counters"]["arenas"]
        return "%d waits, %s in all, by the allocator's counters" % (
            sum(a["waited"] for a in arenas),
            view.duration(sum(a["wait_ns"] for a in arenas)))
    return "nothing"


def counters(before, after):
    """The allocator's counters over the time of the recording."""
    if not after:
        return None
    return {"policy": after["policy"], "host": after["host"],
            "arenas": view.difference(after, before)}


def waits_of(harvest):
    """A list of arenas and sizes, with their holders and callers."""
    result = {}
    for (arena, size, holder), (count, ns, longest) in harvest.waits.items():
        entry = result.setdefault((arena, size), {
            "arena": arena, "size": size, "waits": 0, "wait_ns": 0,
            "wait_max_ns": 0, "holders": [], "stacks": []})
        entry["waits"] += count
        entry["wait_ns"] += ns
        entry["wait_max_ns"] = max(entry["wait_max_ns"], longest)
        entry["holders"].append({"tid": holder, "waits": count,
                                 "wait_ns": ns})
    for (arena, size, frames), (count, ns) in harvest.stacks.items():
        result[arena, size]["stacks"].append(
            {"frames": list(frames), "waits": count, "wait_ns": ns})
    for entry in result.values():
        for key in ("holders", "stacks"):
            entry[key].sort(key=lambda e: -e["wait_ns"])
    return sorted(result.values(), key=lambda e: -e["wait_ns"])


def waits_of_counters(data):
    """The same from the allocator's counters alone; the holder is that of
    the last wait."""
    result = []
    for arena in (data["counters"] or {"arenas": []})["arenas"]:
        for entry in arena["classes"]:
            if entry["waited"]:
                result.append({
                    "arena": arena["arena"], "size": entry["size"],
                    "waits": entry["waited"], "wait_ns": entry["wait_ns"],
                    "wait_max_ns": entry["wait_max_ns"], "stacks": [],
                    "holders": [{"tid": arena.get("holder_tid", 0),
                                 "waits": 0, "wait_ns": 0}]})
    return sorted(result, key=lambda e: -e["wait_ns"])


def load(directory):
    """A recording that was saved."""
    path = os.path.join(directory, FILE)
    try:
        data = json.loads(common.read_bytes(path))
    except FileNotFoundError as err:
        raise common.Failure("there is no recording %s; `pmalloc record` "
                             "makes one" % common.shown(directory)) from err
    except OSError as err:
        raise common.Failure(common.reason(err, path)) from err
    except ValueError as err:
        raise common.Failure("%s: %s" % (common.shown(path), err)) from err
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise common.Failure("%s is of another version of pmalloc" %
                             common.shown(path))
    return data
