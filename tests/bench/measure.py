"""What is measured of processes, and on which machine."""

import os
import platform
import subprocess
import time

TICK = 1000000000 // os.sysconf("SC_CLK_TCK")


def children_of():
    """{pid: [its children]} of all processes."""
    children = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it has just ended
        children.setdefault(parent, []).append(int(pid))
    return children


def family(pid):
    """A process and all that descend from it."""
    children = children_of()
    pids = [pid]
    for p in pids:
        pids.extend(children.get(p, []))
    return pids


def _clock(pid):
    """CPU time of a process and its threads, ended ones too, in ns: the clock that
    clock_getcpuclockid(3) names."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def _ended_children(pid):
    """CPU time of children that ended; the system tells it in ticks."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * TICK


def cpu(pid):
    """CPU time, user and system, of a process and all its descendants, in ns."""
    total = 0
    for p in family(pid):
        try:
            total += _clock(p) + _ended_children(p)
        except OSError:
            pass  # it has just ended: its time is its parent's now
    return total


def pss(pid):
    """The memory of a process and its descendants in bytes; what is shared is split."""
    total = 0
    for p in family(pid):
        try:
            with open("/proc/%d/smaps_rollup" % p) as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except OSError:
            pass
    return total * 1024


def _first_line(*argv):
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10)
    except OSError:
        return None
    lines = [l for l in done.stdout.decode("utf-8", "replace").splitlines() if l.strip()]
    return lines[0].strip() if lines else ""


def version(*argv):
    """What a program says of its version in its first line."""
    return _first_line(*argv) or "unknown"


def machine():
    """The machine in one line."""
    model = platform.processor() or platform.machine()
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return "%s, %d CPUs, %.0f GiB, Linux %s" % (model, os.cpu_count(), memory,
                                               platform.release())


def load_average():
    return os.getloadavg()[0]
