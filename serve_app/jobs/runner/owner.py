"""Names for those who hold leases."""

import os
import socket
import uuid


def owner_name() -> str:
    """A name that no other process has, on any machine, nor this one a second time."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
