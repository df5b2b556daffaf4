# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Call graphs of perf.data, folded: one line per stack, its weight behind it.

Waiting is the time between a thread's switch off a CPU and its next switch
onto one; the stack is the one it left with. Its last frame says which of two
kinds it was: "asleep" (it waits for somebody) or "wants a CPU" (it was
preempted and could run). Running is counted in samples of a CPU clock.

Frames of the kernel end in _[k] and those of an allocator in _[a], so that
any flame graph program can colour them.
"""
import collections
import re
import subprocess

from common import from_the_start, shown

HEAD = re.compile(r"^\s*(.+?)\s+(\d+)\s+(\d+\.\d+):\s+(.*)$")
FRAME = re.compile(r"^\s+[0-9a-f]+ (.*) \(([^()]*(?:\([^()]*\))?)\)\s*$")
STATE = re.compile(r"prev_state=(\S+)")

ALLOCATOR_DSO = re.compile(
    r"lib(pmalloc|jemalloc|mimalloc|tcmalloc|tcmalloc_minimal)[-.\w]*\.so")
GLIBC_MALLOC = re.compile(
    r"^(__libc_)?(malloc|free|calloc|realloc|memalign)$|"
    r"^_?_?(int_malloc|int_free|int_realloc|int_memalign|sysmalloc|systrim)|"
    r"^(_int_|arena_get|tcache_|malloc_consolidate|unlink_chunk|grow_heap|"
    r"heap_trim|new_heap|sysmalloc|ptmalloc|mtrim)")

# How the kernel came to the scheduler is the same in every stack.
PLUMBING = re.compile(
    r"^(__schedule|schedule|preempt_schedule.*|schedule_hrtimeout.*|"
    r"entry_SYSCALL_64.*|do_syscall_64|x64_sys_call|asm_sysvec_.*|sysvec_.*|"
    r"irqentry_exit.*|exit_to_user_mode.*|syscall_exit_to_user_mode.*|"
    r"__x64_sys_.*|el0.*|invoke_syscall.*|do_el0_svc.*|ret_from_fork.*|"
    r"__cond_resched|_cond_resched|__futex_wait|futex_do_wait|"
    r"futex_wait_queue|do_futex|prepare_exit_to_usermode)$")

# Waits that a program means: for its threads to end, or to begin together.
MEANT = re.compile(r"pthread_join|clockjoin|timedjoin|pthread_barrier|"
                   r"rendezvous|wait_for_one_thread|^exec_main$|^wait4$|"
                   r"^__wait4|do_wait_|^usleep|nanosleep")


def frame_name(symbol, dso):
    """A frame as it is folded, or None when it says nothing."""
    symbol = shown(re.sub(r"\+0x[0-9a-f]+$", "", symbol)).split("@")[0]
    symbol = symbol.replace(";", ":").replace(" ", "")
    if symbol in ("[unknown]", ""):
        return None
    if dso.startswith("[kernel") or dso.startswith("[guest") or \
            dso.endswith(".ko"):
        return None if PLUMBING.match(symbol) else symbol + "_[k]"
    if ALLOCATOR_DSO.search(dso) or \
            "libc" in dso and GLIBC_MALLOC.match(symbol):
        return symbol + "_[a]"
    return symbol


class Fold:
    """Stacks and their weights, and what was left out of them."""

    def __init__(self, unit):
        self.unit = unit
        self.weight = collections.Counter()
        self.left_out = 0.0

    def add(self, frames, weight):
        """One stack, innermost frame first."""
        if any(MEANT.search(f) for f in frames):
            self.left_out += weight
            return
        self.weight[tuple(reversed(frames))] += weight

    def total(self):
        """All that was not left out."""
        return sum(self.weight.values())

    def allocator(self):
        """How much of that was in an allocator."""
        return sum(w for stack, w in self.weight.items()
                   if any(f.endswith("_[a]") for f in stack))

    def allocator_by_end(self):
        """The same, by what kind of waiting it was."""
        kinds = collections.Counter()
        for stack, weight in self.weight.items():
            if any(f.endswith("_[a]") for f in stack):
                kinds[stack[-1]] += weight
        return dict(kinds)

    def text(self):
        """The folded form, largest first."""
        return "".join(f"{';'.join(stack)} {max(1, round(weight))}\n"
                       for stack, weight in self.weight.most_common())


def samples(lines):
    """(tid, seconds, what, frames) of every event in perf script's output."""
    head, frames = None, []
    for line in lines:
        match = HEAD.match(line) if line[:1] not in ("\t", " ", "\n") or \
            not FRAME.match(line) else None
        if match:
            if head:
                yield (*head, from_the_start(frames))
            head = (int(match.group(2)), float(match.group(3)),
                    match.group(4))
            frames = []
        elif head and (found := FRAME.match(line)):
            name = frame_name(found.group(1), found.group(2))
            if name:
                frames.append(name)
    if head:
        yield (*head, from_the_start(frames))


def fold_waiting(lines):
    """Nanoseconds off the CPU, by stack."""
    fold = Fold("ns")
    left = {}
    for tid, now, what, frames in samples(lines):
        if what.startswith("sched:sched_switch"):
            state = STATE.search(what)
            runnable = state and state.group(1).startswith("R")
            end = "wants a CPU" if runnable else "asleep"
            left[tid] = (now, [end + "_[k]"] + frames)
        elif "PERF_RECORD_SWITCH" in what and " IN" in what and tid in left:
            since, stack = left.pop(tid)
            if len(stack) > 1:
                fold.add(stack, (now - since) * 1e9)
    return fold


def fold_running(lines):
    """Samples of the CPU clock, by stack."""
    fold = Fold("samples")
    for _, _, _, frames in samples(lines):
        if frames:
            fold.add(frames, 1)
    return fold


def fold_file(perf, path, kind):
    """Fold a perf.data file."""
    argv = [perf, "script", "-i", str(path), "--ns", "--no-inline",
            "-F", "comm,tid,time,event,ip,sym,dso" +
            (",trace" if kind == "waiting" else "")]
    if kind == "waiting":
        argv.append("--show-switch-events")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True,
                          errors="replace",
                          stderr=subprocess.DEVNULL) as script:
        fold = (fold_waiting if kind == "waiting" else fold_running)(
            script.stdout)
    return fold


# Whom a thread waited for, by its stack; the first that fits.
OWNERS = {
    "allocator": "the allocator's locks, or its system calls",
    "preempted": "a CPU (preempted outside the allocator)",
    "locks": "the program's own locks",
    "signals": "another thread's signal (condition, semaphore, queue)",
    "other": "something else (files, sockets, time)",
}
OWN_LOCKS = re.compile(r"^_*(GI_+)?(lll_lock|pthread_(mutex|rwlock|spin)_\w*lock|"
                       r"pthread_mutex_lock|std::mutex|absl::.*Mutex|"
                       r"parking_lot)")
OWN_SIGNALS = re.compile(r"pthread_cond_|(^|_)sem_(wait|clockwait|timedwait)|"
                         r"new_sem_wait|condition_variable|^futex_wait")


def owners(folded):
    """{whom: weight} of stacks of waiting: the program's locks beside ours."""
    found = collections.Counter()
    for frames, weight in folded:
        if any(f.endswith("_[a]") for f in frames):
            kind = "allocator"
        elif frames[-1].startswith("wants a CPU"):
            kind = "preempted"
        elif any(OWN_LOCKS.search(f) for f in frames):
            kind = "locks"
        elif any(OWN_SIGNALS.search(f) for f in frames):
            kind = "signals"
        else:
            kind = "other"
        found[kind] += weight
    return dict(found)


def parse_folded(text):
    """Stacks of a folded file: [(frames, weight)]."""
    found = []
    for line in text.splitlines():
        stack, _, weight = line.rpartition(" ")
        if stack:
            found.append((stack.split(";"), float(weight)))
    return found
