"""A kernel that a Jupyter server started, driven as a front end drives it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from .conftest import Server


@dataclass
class Ran:
    """What one cell showed: outputs in order, as a notebook would store them."""

    status: str = ""
    outputs: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    reply: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All plain text of the outputs."""
        found = []
        for output in self.outputs:
            found += output.get("traceback", [])
            found += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
        return "\n".join(found)


class Kernel:
    """``run`` waits for the cell; outputs of earlier cells change when the kernel updates them."""

    def __init__(self, server: Server, kernel_id: str, client: BlockingKernelClient) -> None:
        self._server = server
        self.id = kernel_id
        self.client = client
        self._displays: dict[str, dict[str, Any]] = {}

    def run(self, code: str, timeout: float = 60) -> Ran:
        ran = Ran(status="aborted")
        began = time.perf_counter()
        # What comes right behind an error goes with it; nobody types that quickly.
        while ran.status == "aborted" and time.perf_counter() - began < timeout:
            answer = self.client.execute_interactive(
                code,
                allow_stdin=False,
                store_history=True,
                timeout=timeout,
                output_hook=lambda message: self._hear(message, ran),
            )
            ran.reply = answer["content"]
            ran.status = ran.reply["status"]
        ran.seconds = time.perf_counter() - began
        return ran

    def listen(self, seconds: float, ran: Ran) -> None:
        """Take what comes after a cell has ended."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self.client.iopub_channel.msg_ready() or left > 0.05:
                try:
                    self._hear(self.client.get_iopub_msg(timeout=min(left, 0.2)), ran)
                except Exception as error:
                    if type(error).__name__ != "Empty":
                        raise

    def interrupt(self) -> None:
        self._server.ask("POST", f"api/kernels/{self.id}/interrupt", {})

    def _hear(self, message: dict[str, Any], ran: Ran) -> None:
        kind, content = message["msg_type"], message["content"]
        name = content.get("transient", {}).get("display_id")
        if kind == "update_display_data":
            ran.updates.append(content["data"])
            if name in self._displays:
                self._displays[name]["data"] = content["data"]
        elif kind in ("stream", "display_data", "execute_result", "error"):
            output = {"kind": kind, **content}
            ran.outputs.append(output)
            if name:
                self._displays[name] = output


@contextmanager
def kernel_of(server: Server, folder: str) -> Iterator[Kernel]:
    """Start a kernel whose working directory is ``folder`` below the server's root."""
    (server.root / folder).mkdir(parents=True, exist_ok=True)
    started = server.ask("POST", "api/kernels", {"name": "python3", "path": folder})
    runtime: Path = server.root.parent / "runtime"
    client = BlockingKernelClient()
    client.load_connection_file(str(runtime / f"kernel-{started['id']}.json"))
    # A second without a heartbeat is no death where a loaded machine starts the kernel.
    client.hb_channel.time_to_dead = 60.0
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield Kernel(server, started["id"], client)
    finally:
        client.stop_channels()
        server.ask("DELETE", f"api/kernels/{started['id']}")
