"""What each replica does before anything else."""

import ray
from ray._common.tls_utils import add_port_to_grpc_server
from ray.serve._private import replica

from interchange.discreet import keep_recordings_out_of_logs
from serve_app.reporting import report


def begin() -> None:
    """Keep recordings out of the logs, hand figures to Ray, and listen where the node does."""
    keep_recordings_out_of_logs()
    report()
    replica.add_port_to_grpc_server = _on_the_nodes_address


def _on_the_nodes_address(server: object, address: str) -> int:
    """Open a replica's port for calls by gRPC, by which the others know its node.

    Serve would have it on all interfaces, where it asks for no token and unpickles what comes:
    whoever reaches it can run code. It is opened when the replica's constructor is through.
    """
    node = ray.util.get_node_ip_address()
    node = f"[{node}]" if ":" in node else node
    port: int = add_port_to_grpc_server(server, address.replace("[::]", node))
    return port
