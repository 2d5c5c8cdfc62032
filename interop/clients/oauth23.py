"""Signs in at a protected server with the Python client 2.3 and its own OAuth provider.

The configuration is the first argument, as JSON: {"url", "redirect", "tool", "arguments"}. What it sees is printed,
a line of JSON each; where the browser ended is read, as one line of JSON with the parameters.
"""

import json
import sys

import anyio
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata


class Memory:
    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


def say(**seen):
    print(json.dumps(seen), flush=True)


async def visit(page):
    say(visit=page)


async def came_back():
    params = json.loads(await anyio.to_thread.run_sync(sys.stdin.readline))
    return AuthorizationCodeResult(**params)


async def main(config):
    memory = Memory()
    metadata = OAuthClientMetadata(
        client_name="Python", redirect_uris=[config["redirect"]], token_endpoint_auth_method="none"
    )
    provider = OAuthClientProvider(config["url"], metadata, memory, visit, came_back)
    async with create_mcp_http_client(auth=provider) as http:
        async with Client(streamable_http_client(config["url"], http_client=http), mode="auto") as client:
            say(tools=[tool.name for tool in (await client.list_tools()).tools])
            await call(client, memory, config)
            # The client believes that its token is over.
            provider.context.token_expiry_time = 1
            await call(client, memory, config)


async def call(client, memory, config):
    result = await client.call_tool(config["tool"], config["arguments"])
    say(call="\n".join(block.text for block in result.content))
    say(tokens=memory.tokens.model_dump(include={"access_token", "refresh_token"}))


if __name__ == "__main__":
    anyio.run(main, json.loads(sys.argv[1]))
