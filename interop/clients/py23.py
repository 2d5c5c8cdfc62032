"""Drives the Python client 2.3 through a plan and prints one JSON line per operation.

The configuration and the lines printed are those of plan.mjs. Era: "auto", "legacy" or "modern".
"""

import json
import os
import sys
import time
import traceback
from contextlib import AsyncExitStack

import anyio
import mcp_types as types
from mcp import Client, StdioServerParameters

LIMIT = 20
MODES = {"auto": "auto", "legacy": "legacy", "modern": "2026-07-28"}


class Driver:
    def __init__(self, config):
        self.config = config
        self.plan = config["plan"]
        self.action = "cancel"
        self.asked = 0
        self.updates = set()

    async def run(self):
        async with AsyncExitStack() as stack:
            # What is entered on the stack outlives this step, so it cannot stand in a scope with a deadline.
            if not await self.report("connect", lambda: self.connect(stack)):
                return
            for op in self.config["ops"]:
                await self.report(op, lambda: self.limited(getattr(self, op)))

    async def report(self, op, operation):
        try:
            line = {"op": op, "ok": True, "detail": str(await operation() or "")}
        except Exception:
            line = {"op": op, "ok": False, "detail": traceback.format_exc()[-2000:]}
        print(json.dumps(line), flush=True)
        return line["ok"]

    async def limited(self, operation):
        with anyio.fail_after(LIMIT):
            return await operation()

    async def connect(self, stack):
        target = self.config["target"]
        self.client = Client(
            target.get("url") or StdioServerParameters(command=target["command"][0], args=target["command"][1:]),
            mode=MODES[self.config["era"]],
            elicitation_callback=self.elicitation,
            sampling_callback=self.sampling,
            list_roots_callback=self.roots,
            message_handler=self.message,
        )
        await stack.enter_async_context(self.client)
        self.tasks = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(self.tasks.cancel_scope.cancel)
        return self.client.protocol_version

    async def elicitation(self, context, params):
        self.asked += 1
        content = self.plan["elicit"]["content"] if self.action == "accept" else None
        return types.ElicitResult(action=self.action, content=content)

    async def sampling(self, context, params):
        self.asked += 1
        content = types.TextContent(type="text", text=self.plan["sample"]["reply"])
        return types.CreateMessageResult(role="assistant", model="fixture", content=content)

    async def roots(self, context):
        return types.ListRootsResult(roots=[])

    async def message(self, message):
        if isinstance(message, types.ResourceUpdatedNotification):
            self.updates.add(str(message.params.uri))

    async def call_tool(self, what, **options):
        return await self.client.call_tool(what["tool"], what.get("arguments", {}), **options)

    async def list(self):
        names, cursor = [], None
        while True:
            page = await self.client.list_tools(cursor=cursor)
            names += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if not cursor:
                break
        missing = [name for name in self.plan["list"]["tools"] if name not in names]
        assert not missing, f"not listed: {missing}; listed: {names}"
        return f"{len(names)} tools"

    async def call(self):
        what = self.plan["call"]
        return expect(await self.call_tool(what), what["expect"])

    async def error(self):
        what = self.plan["error"]
        return expect(await self.call_tool(what), what["expect"], is_error=True)

    async def progress(self):
        what, seen = self.plan["progress"], []

        async def report(progress, total, message):
            seen.append(progress)

        said = expect(await self.call_tool(what, progress_callback=report), what["expect"])
        assert len(seen) >= what["atLeast"], f"only {len(seen)} reports of progress: {seen}"
        falls = sum(a >= b for a, b in zip(seen, seen[1:]))
        assert falls <= what.get("restarts", 0), f"not increasing: {seen}"
        return f"{len(seen)} reports, {said}"

    async def cancel(self):
        what = self.plan["cancel"]
        confirm = what.get("confirm")
        before = confirm and await self.count(confirm)
        begun = time.monotonic()
        with anyio.move_on_after(what["after"] / 1000) as scope:

            async def enough(progress, total, message):
                scope.cancel()

            result = await self.call_tool(what, progress_callback=enough)
            raise AssertionError(f"it was answered: {result}")
        took = time.monotonic() - begun
        if confirm:
            with anyio.fail_after(3):
                while await self.count(confirm) == before:
                    await anyio.sleep(0.05)
        return f"cancelled after {took * 1000:.0f} ms"

    async def count(self, confirm):
        return expect(await self.call_tool(confirm), confirm["expect"])

    async def elicit_accept(self):
        return await self.elicit("accept")

    async def elicit_decline(self):
        return await self.elicit("decline")

    async def elicit_cancel(self):
        return await self.elicit("cancel")

    async def elicit(self, action):
        what = self.plan["elicit"]
        self.action, self.asked = action, 0
        said = expect(await self.call_tool(what), what["expect"][action])
        assert self.asked == 1, f"the user was asked {self.asked} times"
        return said

    async def sample(self):
        what = self.plan["sample"]
        self.asked = 0
        said = expect(await self.call_tool(what), what["expect"])
        assert self.asked == 1, f"the model was asked {self.asked} times"
        return said

    async def subscribe(self):
        uri, trigger = self.plan["subscribe"]["uri"], self.plan["subscribe"]["trigger"]
        if self.client.protocol_version == MODES["modern"]:
            await self.tasks.start(self.listen, uri)
        else:
            await self.client.subscribe_resource(uri)
        for attempt in range(1, 4):
            await self.call_tool(trigger)
            with anyio.move_on_after(3):
                while uri not in self.updates:
                    await anyio.sleep(0.02)
                return f"told after {attempt} change(s)"
        raise AssertionError(f"no notification that {uri} changed")

    async def listen(self, uri, *, task_status):
        async with self.client.listen(resource_subscriptions=[uri]) as subscription:
            task_status.started()
            async for event in subscription:
                self.updates.add(getattr(event, "uri", ""))

    async def read(self):
        what = self.plan["read"]
        result = await self.client.read_resource(what["uri"])
        text = "\n".join(getattr(content, "text", None) or content.blob for content in result.contents)
        assert what["expect"] in text, f"read {text[:200]!r}"
        return f"{len(text)} characters"

    async def complete(self):
        what = self.plan["complete"]
        result = await self.client.complete(
            types.PromptReference(type="ref/prompt", name=what["prompt"]),
            {"name": what["argument"], "value": what["value"]},
        )
        values = result.completion.values
        assert values == what["expect"], f"{values}"
        return ", ".join(values)


def expect(result, wanted, is_error=False):
    text = "\n".join(getattr(block, "text", f"[{block.type}]") for block in result.content)
    assert bool(result.is_error) == is_error, f"is_error is {result.is_error}: {text}"
    assert wanted in text, f"expected {wanted!r} in {text!r}"
    return text[:100]


if __name__ == "__main__":
    anyio.run(Driver(json.loads(sys.argv[1])).run)
    os._exit(0)
