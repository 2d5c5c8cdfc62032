"""The fixture server on the Python SDK 2.3, in both eras, over stdio or HTTP.

python py23.py            stdio
python py23.py PORT       http://127.0.0.1:PORT/mcp
"""

import sys
from typing import Annotated

import anyio
import mcp_types as types
from mcp.server.elicitation import AcceptedElicitation, DeclinedElicitation, ElicitationResult
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Elicit, Resolve, Sample
from pydantic import BaseModel

NAMES = ["Albert", "Alice", "Bob"]
NOTE = "fixture://note"

server = MCPServer("fixture-py23", version="1.0.0")
state = {"touched": 0, "cancelled": 0}
subscribers = set()


class Name(BaseModel):
    name: str


@server.tool()
async def echo(text: str) -> str:
    """Answers what it was given"""
    return f"echo: {text}"


@server.tool()
async def fail() -> str:
    """Always fails"""
    raise ToolError("this tool always fails")


@server.tool()
async def slow(steps: int, delay_ms: int, ctx: Context) -> str:
    """Takes its time"""
    try:
        for step in range(1, steps + 1):
            await anyio.sleep(delay_ms / 1000)
            await ctx.report_progress(step, steps, f"step {step}")
    except anyio.get_cancelled_exc_class():
        state["cancelled"] += 1
        raise
    return f"done after {steps} steps"


@server.tool()
async def cancellations() -> str:
    """How many slow calls were cancelled"""
    return f"cancelled: {state['cancelled']}"


def question() -> Elicit[Name]:
    return Elicit("What is your name?", Name)


@server.tool()
async def ask_name(answer: Annotated[ElicitationResult[Name], Resolve(question)]) -> str:
    """Asks the user for a name"""
    if isinstance(answer, AcceptedElicitation):
        return f"accepted: {answer.data.name}"
    return "declined" if isinstance(answer, DeclinedElicitation) else "cancelled"


def thought(prompt: str) -> Sample:
    content = types.TextContent(type="text", text=prompt)
    return Sample([types.SamplingMessage(role="user", content=content)], max_tokens=100)


@server.tool()
async def ask_model(prompt: str, answer: Annotated[types.CreateMessageResult, Resolve(thought)]) -> str:
    """Asks the model"""
    return f"model said: {answer.content.text}"


@server.tool()
async def touch_note(ctx: Context) -> str:
    """Changes the note"""
    state["touched"] += 1
    await ctx.notify_resource_updated(NOTE)
    for session in list(subscribers):
        try:
            await session.send_resource_updated(NOTE)
        except Exception:
            subscribers.discard(session)
    return f"touched: {state['touched']}"


@server.resource(NOTE, mime_type="text/plain")
async def note() -> str:
    return f"the note, touched {state['touched']} times"


@server.resource("fixture://square/{n}", mime_type="text/plain")
async def square(n: str) -> str:
    return str(int(n) ** 2)


@server.prompt()
async def greet(name: str) -> str:
    """A greeting"""
    return f"Say hello to {name}."


@server.completion()
async def complete(ref, argument, context):
    return types.Completion(values=[name for name in NAMES if name.startswith(argument.value)])


async def subscribe(ctx, params):
    subscribers.add(ctx.session)
    return types.EmptyResult()


async def unsubscribe(ctx, params):
    subscribers.discard(ctx.session)
    return types.EmptyResult()


# Legacy clients subscribe with requests of their own, which only the lower level of the SDK offers.
lowlevel = server._lowlevel_server
lowlevel.add_request_handler("resources/subscribe", types.SubscribeRequestParams, subscribe)
lowlevel.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, unsubscribe)

if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
