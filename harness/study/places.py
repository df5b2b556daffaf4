# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Where things are: in a source tree, or beside an installed command."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

# The peers are listed once, in the bench; installed, that file lies here.
sys.path.append(str(ROOT / "harness" / "measure" / "bench"))
import allocators  # noqa: E402
import common  # noqa: E402


def in_source():
    """Is this a source tree?"""
    return (ROOT / "lib" / "Kbuild").exists()

def library():
    """libpmalloc.so; common.Failure says what to do when it is not there."""
    return pathlib.Path(common.library()).resolve()

def bench_program():
    """The program with the workloads; a failure says what to do."""
    path = ROOT / "build" / "bench" / "bench" if in_source() else \
        HERE.parents[1] / "libexec" / "pmalloc" / "bench"
    if not path.exists():
        raise common.Failure(f"there is no {path}; build it with "
                             "`make bench-programs`" if in_source() else
                             f"there is no {path}; install it with "
                             "`make install`")
    return path.resolve()

def peers():
    """Peers that are installed."""
    return allocators.peers()

def output(name):
    """Where a study of that name goes unless somebody says otherwise."""
    if in_source():
        return ROOT / "build" / "study" / name
    return pathlib.Path.cwd() / "pmalloc-study" / name
