"""Helpers that start several processes of one run with Open MPI."""
import os

from run_files import read

# Variables and options that let mpirun run as root and start more ranks than cores.
ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}
ENVIRONMENT = {**os.environ, **ROOT}
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none"]
# LEFT_ALIVE: mpirun does not kill the other ranks after one rank fails, so that they can report the failure. WITH_CODE prints the exit code of a
# rank, because mpirun returns a different one.
LEFT_ALIVE = ["--enable-recovery", "--mca", "orte_abort_on_non_zero_status", "0"]
WITH_CODE = ["sh", "-c", '"$@"; echo "exit $?"', "sh"]


def parent_of(pid):
    """Returns the process id of the parent, or None if the process has exited."""
    try:
        return int(read(f"/proc/{pid}/stat").decode().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def children(pid):
    """Returns the ids of the child processes of a process."""
    return sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit() and parent_of(entry) == pid)
