"""Claims on open files: locks of the operating system, which go with the process that holds them, however it ends."""

from __future__ import annotations

import errno
import fcntl

_TAKEN = (errno.EWOULDBLOCK, errno.EACCES)


def claim(handle: int) -> bool | None:
    """Claim an open file until it is closed; return False where another claims it, None where there are no locks.

    The file has to be open for writing, as network file systems ask (NFS passes these locks on to its server).
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _TAKEN else None
    return True
