"""A server on the Python SDK 2.3: `python server.py --listen ADDR` or `--stdio`, and `--tools N`."""

import sys

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from pydantic import BaseModel

server = MCPServer("bench", version="1.0.0")


class Sum(BaseModel):
    sum: float


@server.tool()
async def echo(text: str) -> str:
    """Says what it is told."""
    return text


@server.tool()
async def add(a: float, b: float) -> Sum:
    """Adds two numbers."""
    return Sum(sum=a + b)


@server.tool()
async def progress(text: str, ctx: Context) -> str:
    """Says what it is told, and before that how far it is."""
    await ctx.report_progress(0.5)
    return text


async def done() -> str:
    return "done"


def value_of(name: str) -> str | None:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None


for n in range(int(value_of("--tools") or 0)):
    server.add_tool(done, name=f"tool_{n}", description="One of many.")

address = value_of("--listen")
if address:
    host, port = address.split(":")
    server.run("streamable-http", host=host, port=int(port))
else:
    server.run("stdio")
