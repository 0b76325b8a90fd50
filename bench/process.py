"""What a process uses, read from the kernel."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Used:
    """What a process has used so far: seconds of CPU, and how often its threads went to sleep of their own
    accord, and so were woken."""

    seconds: float
    wakes: int


def used(pid: int) -> Used:
    """Return what a process has used since it began, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return Used((int(fields[11]) + int(fields[12])) / _TICKS, _wakes(pid))


def _wakes(pid: int) -> int:
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int(_field(task / "status", "voluntary_ctxt_switches") or 0)
    return total


def resident(pid: int) -> float:
    """Return the memory that a process holds, in MiB."""
    return int((_field(Path(f"/proc/{pid}/status"), "VmRSS") or "0").split()[0]) / 1024


def sockets(pid: int) -> int:
    """Return how many sockets a process has open."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += str(link.readlink()).startswith("socket:")
        except OSError:
            # Closed meanwhile.
            continue
    return count


def _field(file: Path, name: str) -> str:
    for line in file.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    return ""
