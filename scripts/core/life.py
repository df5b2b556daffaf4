# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The picture of an object's life, held against the source.

The label of each edge in object-life.dot says which function calls which one to move
an object, and what keeps others away from it meanwhile:

    f(), g()            who calls what comes next
    -> h()              each of them calls this
    [guard, guard]

A function must be defined in the core, or else by both hosts. Each call must be in the
body of the one that calls. A function that is called in the picture, and one of MOVERS,
has no caller in the source that the picture does not show with it. And of each guard
there must be a sign, in the body of a function of the edge.
"""

import json
import re
import subprocess

# What moves objects: none of these may be called past the picture.
MOVERS = ("pm_percpu_pop", "pm_percpu_push", "pm_percpu_pop_batch",
          "pm_percpu_push_batch", "pm_depot_put", "pm_depot_take",
          "pm_depot_take_oldest", "pm_heap_take", "pm_heap_get_slab",
          "pm_heap_put_slab", "pm_slab_collect", "pm_slab_put_remote",
          "pm_remote_free", "pm_arena_put",
          "pm_arena_put_object", "pm_arena_put_batch", "pm_obj_take",
          "pm_mag_retire", "pm_mag_send_home", "pm_free_inbox")

# What the source says where a guard is. Those of the per-CPU section are its
# functions; what they do inside is the host's.
GUARDS = {
    "arena lock": r"lockdep_assert_held\(&arena->lock\)",
    "magazine lock": r"lockdep_assert_held\(&pm_mag_lock\)",
    "page map": r"\bpm_pagemap_(add|take)_large\(",
    "fence": r"\bpm_percpu_fence\(",
    "per-CPU section": r"\bpm_percpu_(?:pop|push)(?:_batch)?\(",
    "carriers are counted": r"\bcarrier = pm_\w+_begin\(",
    "mark": r"\bpm_spend_mark\(",
    "llist": r"\bllist_(?:add|del_all)\(",
    "SRCU section": r"\bpm_srcu_read_trylock\(",
    "atomic bit": r"\btest_and_set_bit\(",
    "atomic exchange": r"\bxchg\(",
    "reference to the heap": r"\bpm_heap_ref\(",
}

FUNCTION = re.compile(r"^(?:[A-Za-z_][^\n;{}=()#]*[\s*])?(\w+)\([^;{}]*?\)\n\{\n(.*?)^\}",
                      re.M | re.S)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def side(path):
    """core, user or kernel: whose file this is."""
    folder = path.split("lib/", 1)[1].split("/")[0]
    return folder if folder in ("user", "kernel") else "core"


def bodies(sources):
    """{function: [(side, body)]} of {path: text}."""
    found = {}
    for path, text in sources.items():
        for name, body in FUNCTION.findall(COMMENT.sub(" ", text)):
            found.setdefault(name, []).append((side(path), body))
    return found


class Edge:
    """An edge of the picture: (caller, called) of each call, and the guards."""

    def __init__(self, tail, head, label):
        self.name = "%s -> %s" % (tail, head)
        self.calls, self.guards, self.strange = [], [], []
        text, bracket, guards = label.partition("[")
        callers, called = [], True
        for word in re.split(r",\s*|\n", text.strip()):
            match = re.fullmatch(r"(-> )?(\w+)\(\)", word.strip())
            if not match:
                self.strange.append(word)
            elif match.group(1):
                self.calls += [(caller, match.group(2)) for caller in callers]
                called = True
            else:
                callers = [] if called else callers
                callers.append(match.group(2))
                called = False
        if not self.calls or not called:
            self.strange.append("a function that calls nothing")
        if not bracket or not guards.endswith("]"):
            self.strange.append("no guard")
        else:
            self.guards = [" ".join(g.split()) for g in guards[:-1].split(",")]

    def functions(self):
        """Names of all functions of the edge."""
        return {name for call in self.calls for name in call}


def read(dot):
    """The edges of a picture, as Graphviz reads it."""
    done = subprocess.run(["dot", "-Tdot_json"], input=dot, capture_output=True,
                          text=True, check=True)
    graph = json.loads(done.stdout)
    names = {each["_gvid"]: each["name"] for each in graph["objects"]}
    return [Edge(names[each["tail"]], names[each["head"]],
                 each.get("label", "").replace("\\n", "\n"))
            for each in graph.get("edges", ())]


class Life:
    """A picture, and the source that it is of: {path: text}."""

    def __init__(self, dot, sources):
        self.edges = read(dot)
        self.known = bodies(sources)
        self.calls = {call for edge in self.edges for call in edge.calls}

    def exists(self, name):
        """Whether the core has a function, or both hosts have."""
        sides = {where for where, _ in self.known.get(name, ())}
        return "core" in sides or sides == {"user", "kernel"}

    def says(self, name, pattern):
        """Whether the body of a function, in each host that has one, says something."""
        found = [body for _, body in self.known.get(name, ())]
        return bool(found) and all(re.search(pattern, body) for body in found)

    def check_edge(self, edge):
        """What is wrong with an edge."""
        for text in edge.strange:
            yield "%s: %s" % (edge.name, text)
        for name in sorted(edge.functions()):
            if not self.exists(name):
                yield "%s: there is no function %s()" % (edge.name, name)
        for caller, called in edge.calls:
            if not self.says(caller, r"\b%s\(" % called):
                yield "%s: %s() does not call %s()" % (edge.name, caller, called)
        for guard in edge.guards:
            if guard not in GUARDS:
                yield "%s: nobody knows the guard %s" % (edge.name, guard)
            elif not any(self.says(name, GUARDS[guard])
                         for name in edge.functions()):
                yield "%s: no sign of %s" % (edge.name, guard)

    def check(self):
        """Return what is wrong, one line each."""
        faults = [] if self.edges else ["there is no edge"]
        for edge in self.edges:
            faults += self.check_edge(edge)
        for called in sorted({called for _, called in self.calls} | set(MOVERS)):
            for caller, found in sorted(self.known.items()):
                if (caller, called) not in self.calls and any(
                        re.search(r"\b%s\(" % called, body) for _, body in found):
                    faults.append("%s() calls %s(), and no edge says so" % (caller, called))
            if called in MOVERS and called not in {name for _, name in self.calls}:
                faults.append("%s() is on no edge" % called)
        return faults


# What is spoiled, in the picture or in a file of the source, and what is to be said of it.
PICTURE = None
TRIALS = (
    (PICTURE, "-> pm_depot_take()", "-> pm_depot_get()", "there is no function pm_depot_get()"),
    (PICTURE, "pm_mag_refill_batch()", "pm_mag_flush()",
     "pm_mag_flush() does not call pm_percpu_push_batch()"),
    (PICTURE, "[magazine lock, fence]", "[arena lock]",
     "magazine -> flight: no sign of arena lock"),
    (PICTURE, "[llist, SRCU section]", "[good luck]", "nobody knows the guard good luck"),
    (PICTURE, "\\n[magazine lock, fence]", "", "magazine -> flight: no guard"),
    (PICTURE, "\\n-> pm_mag_retire()", "", "a function that calls nothing"),
    (PICTURE, "pm_free_remote(),\\n", "",
     "pm_free_remote() calls pm_remote_free(), and no edge says so"),
    (PICTURE, "\\n-> pm_depot_take_oldest()", "", "pm_depot_take_oldest() is on no edge"),
    ("lib/arena/depot.c", "pm_depot_take(", "pm_depot_pop(",
     "there is no function pm_depot_take()"),
    ("lib/kernel/pm_percpu.h", "pm_percpu_pop(", "pm_percpu_get_one(",
     "there is no function pm_percpu_pop()"),
    ("lib/front/refill.c", "pm_percpu_push_batch(", "pm_push_plainly(",
     "pm_mag_refill_batch() does not call pm_percpu_push_batch()"),
    ("lib/back/slab.c", "test_and_set_bit(", "__test_and_set_bit(", "no sign of atomic bit"),
    ("lib/arena/arena.c", "lockdep_assert_held(&arena->lock);", "",
     "slab -> heap: no sign of arena lock"),
    ("lib/front/drain.c", "pm_percpu_fence(", "pm_percpu_hope(",
     "magazine -> flight: no sign of fence"),
    ("lib/upkeep/trim.c", "{\n", "{\n\tpm_depot_take(NULL, NULL, 0);\n",
     "calls pm_depot_take(), and no edge says so"),
    ("lib/upkeep/trim.c", "{\n", "{\n\t/* pm_depot_take() */\n", None),
)


def selftest(dot, sources):
    """(right, sentence) for each trial."""
    for path, old, new, wanted in TRIALS:
        spoiled, copy = dot, dict(sources)
        if path is PICTURE:
            spoiled = dot.replace(old, new)
        else:
            copy[path] = copy[path].replace(old, new)
        done = spoiled != dot or copy != sources
        faults = Life(spoiled, copy).check()
        right = done and (any(wanted in fault for fault in faults) if wanted else not faults)
        yield right, "an object's life: " + (
            "found: %s" % wanted if wanted else "a comment is no call")
