#!/usr/bin/env python3
"""Counts the files that one `tools/call` over HTTP crosses, with gdb: python3 bench/call_path.py [--list]

It exists because ARCHITECTURE.md states these figures, and counts by hand differ. It starts the development build of
`bench-server`, calls its tool once, so that the `_meta` is known, and counts the same call on a new connection.

A step is a call from a function of one file of the repository to a function of another one, through any library between
them; a poll of a future is a call. A return is a step into a file that was reached before. Functions of fewer than four
lines (getters, conversions, generated code) are no step, and calls of one function into one file in a row are one step.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHORT = 4
APART = ("loggia-wire/", "loggia-json-schema/")


def in_gdb(process, report):
    """Records the steps of a running server until it ends."""
    import gdb

    binary = os.readlink(f"/proc/{process}/exe")
    base = min(int(line.split("-")[0], 16) for line in open(f"/proc/{process}/maps") if binary in line)
    steps, lines_of, last = [], {}, [None]

    def file_of(pc):
        table = gdb.find_pc_line(pc).symtab
        name = table.fullname() if table else ""
        return name.split("/crates/", 1)[1].replace("/src/", "/") if f"{ROOT}/crates/" in name else None

    def line_count(start, size, file):
        lines = {gdb.find_pc_line(pc).line for pc in range(start, start + size, 2) if file_of(pc) == file}
        return len(lines - {0})

    class Entry(gdb.Breakpoint):
        def __init__(self, pc, size, file):
            super().__init__(f"*{pc:#x}", internal=True)
            self.function, self.size, self.file = pc, size, file

        def stop(self):
            if self.function not in lines_of:
                lines_of[self.function] = line_count(self.function, self.size, self.file)
            caller = gdb.newest_frame().older()
            while caller and not file_of(caller.pc() - 1):
                caller = caller.older()
            function = caller and (caller.name() or caller.pc())
            step = (function, self.file)
            is_step = lines_of[self.function] >= SHORT and caller and file_of(caller.pc() - 1) != self.file
            if is_step and step != last[0]:
                last[0] = step
                steps.append(self.file)
            return False

    gdb.execute("set pagination off")
    gdb.execute("set breakpoint always-inserted on")
    for line in subprocess.run(["nm", "-S", binary], capture_output=True, text=True, check=True).stdout.splitlines():
        parts = line.split()
        if len(parts) == 4 and parts[2] in "tTwW":
            pc, size = base + int(parts[0], 16), int(parts[1], 16)
            file = file_of(pc)
            if file and file.startswith("loggia"):
                Entry(pc, size, file)
    pathlib.Path(report + ".ready").touch()
    try:
        gdb.execute("continue")
    except gdb.error:
        pass  # The server was killed while gdb stepped over a breakpoint.
    pathlib.Path(report).write_text(json.dumps(steps))


def call(port):
    """Calls the tool on a new connection."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "path", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "echo", "arguments": {"text": "hi"}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n"
        f"Mcp-Method: tools/call\r\nMcp-Name: echo\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
        connection.sendall((head + body).encode())
        answer = b""
        while b'"result"' not in answer and b'"error"' not in answer:
            part = connection.recv(65536)
            if not part:
                break
            answer += part
        if b'"hi"' not in answer:
            sys.exit(f"the call failed: {answer.decode(errors='replace')}")


def wait_until(is_there, what, seconds=300):
    end = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > end:
            sys.exit(f"{what} did not come within {seconds} s")
        time.sleep(0.1)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main():
    subprocess.run(["cargo", "build", "--quiet", "--package", "bench-server"], cwd=ROOT, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binary = ROOT / "target" / "debug" / "bench-server"
    environment = os.environ | {"TOKIO_WORKER_THREADS": "1"}
    server = subprocess.Popen([binary, "--listen", f"127.0.0.1:{port}"], env=environment)
    try:
        wait_until(lambda: listens(port), "the server")
        call(port)
        report = os.path.join(tempfile.mkdtemp(), "steps")
        script = f"import runpy; runpy.run_path({str(ROOT / 'bench/call_path.py')!r})['in_gdb']({server.pid}, {report!r})"
        command = ["gdb", "-nx", "-batch", "-p", str(server.pid), "-ex", f"python {script}"]
        watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: os.path.exists(report + ".ready") or watcher.poll() is not None, "gdb")
        call(port)
    finally:
        server.kill()
    errors = watcher.communicate()[1]
    if not os.path.exists(report):
        sys.exit(f"gdb failed: {errors}")
    steps = json.loads(pathlib.Path(report).read_text())
    if "--list" in sys.argv:
        print("\n".join(steps))
    for title, kept in [("all", steps), ("without wire and json-schema", [s for s in steps if not s.startswith(APART)])]:
        files = set(kept)
        print(f"{title}: {len(files)} files, {len(kept) - len(files)} returns")


if __name__ == "__main__":
    main()
