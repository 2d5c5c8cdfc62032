// Other people's clients, each with the sign-in it comes with. `run` gets the configuration, a function that
// brings the person to a page, and what it notes what it sees in: the tools, the answer of a call and the tokens,
// before and after its access token was spoiled as if it had ended. What has to be ended, come what may, is in `ends`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import assert from 'node:assert/strict';
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Callback, within } from './callback.mjs';

const LIMIT = 40_000;

export const PROGRAMS = [
  { name: 'the TypeScript client', run: typescript },
  { name: 'the Python client', run: python },
  { name: 'mcp-remote', run: mcpRemote }
];

/** What has to be seen of every program. */
const CHECKS = [
  ['is led to sign in', (seen) => assert.equal(seen.visits[0]?.split('?')[0], seen.authorize)],
  ['lists tools', (seen, { tool }) => assert.ok(seen.tools?.includes(tool), `${seen.tools}`)],
  ['calls a tool', (seen, { expect }) => assert.ok(seen.calls[0]?.includes(expect), seen.calls[0])],
  ['renews its token', (seen) => {
    const [before, after] = seen.tokens;
    assert.ok(before?.access_token && before.refresh_token, 'it was given no tokens');
    assert.ok(after && after.access_token !== before.access_token, 'the access token is the old one');
    assert.notEqual(after.refresh_token, before.refresh_token, 'the refresh token is the old one');
  }],
  ['goes on with the new token', (seen, { expect }) => assert.ok(seen.calls[1]?.includes(expect), seen.calls[1])],
  ['asks the person once', (seen) => assert.equal(seen.visits.length, 1)]
];

export async function tryProgram(report, { name, run }, config, person) {
  const seen = { visits: [], calls: [], tokens: [], ends: [], authorize: `${new URL(config.server.url).origin}/oauth/authorize` };
  let failed;
  const visit = async (url) => {
    seen.visits.push(url);
    await person.allow(url);
  };
  try {
    await within(`the end of ${name}`, run(config, visit, seen), LIMIT);
  } catch (error) {
    failed = error;
  } finally {
    await Promise.allSettled(seen.ends.map((end) => end()));
  }
  for (const [what, check] of CHECKS) {
    await report(`${name} ${what}`, () => {
      try {
        check(seen, config.call);
      } catch (error) {
        throw failed ?? error;
      }
    });
  }
}

async function typescript(config, visit, seen) {
  const { client, kept } = await signedIn(config.server.url, visit, seen.ends);
  await use(client, config.call, seen, () => kept.tokens, () => {
    kept.tokens = { ...kept.tokens, access_token: `${kept.tokens.access_token}x` };
  });
}

/** The TypeScript client, once its person has signed in at `url`, and what its provider keeps. */
export async function signedIn(url, visit, ends) {
  const callback = await Callback.open();
  ends.push(() => callback.close());
  const kept = {};
  const provider = {
    redirectUrl: callback.url,
    clientMetadata: { client_name: 'TypeScript', redirect_uris: [callback.url], token_endpoint_auth_method: 'none' },
    state: () => (kept.state = crypto.randomUUID()),
    clientInformation: () => kept.client,
    saveClientInformation: (client) => void (kept.client = client),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void (kept.tokens = tokens),
    redirectToAuthorization: (url) => void (kept.page = url.href),
    saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
    codeVerifier: () => kept.verifier,
    saveDiscoveryState: (discovered) => void (kept.discovered = discovered),
    discoveryState: () => kept.discovered
  };
  const connect = () => {
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
    const client = new Client({ name: 'sign-in', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
    return { transport, client, connected: client.connect(transport) };
  };
  const first = connect();
  await assert.rejects(first.connected, UnauthorizedError);
  await visit(kept.page);
  const { params } = await callback.next();
  assert.equal(params.get('state'), kept.state);
  await first.transport.finishAuth(params);
  const { client, connected } = connect();
  await connected;
  ends.push(() => client.close());
  return { client, kept };
}

/** Speaks the local protocol to mcp-remote, which signs in by itself. */
async function mcpRemote(config, visit, seen) {
  const program = createRequire(import.meta.url).resolve('mcp-remote/dist/proxy.js');
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [program, config.server.url, '--transport', 'http-only', '--host', '127.0.0.1'],
    // It would open a browser of its own.
    env: { ...process.env, MCP_REMOTE_CONFIG_DIR: config.work, BROWSER: 'true' },
    stderr: 'pipe'
  });
  createInterface({ input: transport.stderr }).on('line', (line) => {
    console.error(line);
    if (line.startsWith(seen.authorize)) visit(line.trim()).catch(console.error);
  });
  const client = new Client({ name: 'sign-in', version: '1.0.0' });
  seen.ends.push(() => transport.close());
  await client.connect(transport);
  const file = async () => {
    const folder = path.join(config.work, 'mcp-remote-v1');
    const name = (await readdir(folder)).find((name) => name.endsWith('tokens.json'));
    return path.join(folder, name);
  };
  const tokens = async () => JSON.parse(await readFile(await file(), 'utf8'));
  await use(client, config.call, seen, tokens, async () => {
    const kept = await tokens();
    await writeFile(await file(), JSON.stringify({ ...kept, access_token: `${kept.access_token}x`, expires_at: 1 }));
  });
}

async function use(client, { tool, arguments: args }, seen, tokens, spoil) {
  const call = async () => {
    const { content } = await client.callTool({ name: tool, arguments: args });
    seen.calls.push(content.map((block) => block.text).join('\n'));
    seen.tokens.push({ ...(await tokens()) });
  };
  seen.tools = (await client.listTools()).tools.map((tool) => tool.name);
  await call();
  await spoil();
  await call();
  await client.close();
}

/** Its driver prints what it sees, a line of JSON each, and reads where the browser ended. */
async function python(config, visit, seen) {
  const callback = await Callback.open();
  const argument = JSON.stringify({ url: config.server.url, redirect: callback.url, ...config.call });
  const [program, script] = config.python;
  const child = spawn(program, [script, argument], { stdio: ['pipe', 'pipe', 'inherit'] });
  seen.ends.push(() => callback.close(), () => child.kill());
  const ended = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    const { visit: page, tools, call, tokens } = JSON.parse(line);
    if (page) {
      await visit(page);
      const { params } = await callback.next();
      child.stdin.write(`${JSON.stringify(Object.fromEntries(params))}\n`);
    }
    if (tools) seen.tools = tools;
    if (call) seen.calls.push(call);
    if (tokens) seen.tokens.push(tokens);
  }
  const [code] = await ended;
  assert.equal(code, 0, `it ended with ${code}`);
}
