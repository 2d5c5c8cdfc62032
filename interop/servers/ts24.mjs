// The fixture server on the TypeScript SDK 2.4, in both eras, over stdio or HTTP:
//   node ts24.mjs            stdio
//   node ts24.mjs PORT       http://127.0.0.1:PORT/mcp
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from '@modelcontextprotocol/node';
import {
  McpServer, ResourceTemplate, completable, createMcpHandler, inputRequired, inputResponse, isLegacyRequest
} from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod';

const NAMES = ['Albert', 'Alice', 'Bob'];
const state = { touched: 0, cancelled: 0 };
/** Live servers that tell their clients about the note; the modern HTTP handler tells its own. */
const live = new Set();
let modern;

const text = (value) => ({ content: [{ type: 'text', text: value }] });

function fixture() {
  const server = new McpServer(
    { name: 'fixture-ts24', version: '1.0.0' },
    { capabilities: { tools: {}, prompts: {}, completions: {}, resources: { subscribe: true } } }
  );
  tools(server);
  asking(server);
  server.registerResource('note', 'fixture://note', { mimeType: 'text/plain' }, async () => ({
    contents: [{ uri: 'fixture://note', mimeType: 'text/plain', text: `the note, touched ${state.touched} times` }]
  }));
  server.registerResource(
    'square',
    new ResourceTemplate('fixture://square/{n}', { list: undefined }),
    { mimeType: 'text/plain' },
    async (uri, { n }) => ({ contents: [{ uri: uri.href, mimeType: 'text/plain', text: `${n * n}` }] })
  );
  const name = completable(z.string(), (value) => NAMES.filter((each) => each.startsWith(value)));
  server.registerPrompt('greet', { description: 'A greeting', argsSchema: z.object({ name }) }, ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Say hello to ${name}.` } }]
  }));
  for (const method of ['resources/subscribe', 'resources/unsubscribe']) {
    server.server.setRequestHandler(method, async () => ({}));
  }
  live.add(server);
  server.server.onclose = () => live.delete(server);
  return server;
}

function tools(server) {
  server.registerTool(
    'echo',
    { description: 'Answers what it was given', inputSchema: z.object({ text: z.string() }) },
    async ({ text: said }) => text(`echo: ${said}`)
  );
  server.registerTool('fail', { description: 'Always fails' }, async () => {
    throw new Error('this tool always fails');
  });
  server.registerTool(
    'slow',
    { description: 'Takes its time', inputSchema: z.object({ steps: z.int(), delay_ms: z.int() }) },
    slow
  );
  server.registerTool('cancellations', { description: 'How many slow calls were cancelled' }, async () =>
    text(`cancelled: ${state.cancelled}`)
  );
  server.registerTool('touch_note', { description: 'Changes the note' }, async () => {
    state.touched += 1;
    modern?.notify.resourceUpdated('fixture://note');
    for (const each of live) await each.server.sendResourceUpdated({ uri: 'fixture://note' }).catch(() => {});
    return text(`touched: ${state.touched}`);
  });
}

async function slow({ steps, delay_ms }, ctx) {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  let cancelled = false;
  ctx.mcpReq.signal.addEventListener('abort', () => {
    cancelled = true;
    state.cancelled += 1;
  });
  for (let step = 1; step <= steps && !cancelled; step++) {
    await new Promise((resolve) => setTimeout(resolve, delay_ms));
    if (progressToken === undefined || cancelled) continue;
    await ctx.mcpReq.notify({
      method: 'notifications/progress',
      params: { progressToken, progress: step, total: steps, message: `step ${step}` }
    });
  }
  return text(`done after ${steps} steps`);
}

function asking(server) {
  server.registerTool('ask_name', { description: 'Asks the user for a name' }, async (ctx) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, 'name');
    if (answer.kind === 'elicit') {
      const said = { accept: `accepted: ${answer.content?.name}`, decline: 'declined', cancel: 'cancelled' };
      return text(said[answer.action]);
    }
    const requestedSchema = z.object({ name: z.string() });
    return inputRequired({
      inputRequests: { name: inputRequired.elicit({ message: 'What is your name?', requestedSchema }) }
    });
  });
  server.registerTool(
    'ask_model',
    { description: 'Asks the model', inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, ctx) => {
      const answer = inputResponse(ctx.mcpReq.inputResponses, 'model');
      if (answer.kind === 'sampling') {
        const [content] = [answer.result.content].flat();
        return text(`model said: ${content.text}`);
      }
      const messages = [{ role: 'user', content: { type: 'text', text: prompt } }];
      return inputRequired({ inputRequests: { model: inputRequired.createMessage({ messages, maxTokens: 100 }) } });
    }
  );
}

/** Legacy clients get sessions, so that the server can ask them while a call runs. */
async function legacy(sessions, request, response, body) {
  let transport = sessions.get(request.headers['mcp-session-id']);
  if (!transport) {
    transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => sessions.set(id, transport)
    });
    await fixture().connect(transport);
  }
  return transport.handleRequest(request, response, body);
}

function serveHttp(port) {
  modern = createMcpHandler(fixture, { legacy: 'reject' });
  const modernHandler = toNodeHandler(modern);
  const sessions = new Map();
  createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = chunks.length ? JSON.parse(Buffer.concat(chunks)) : undefined;
    const isLegacy = request.method !== 'POST' || (await isLegacyRequest(await toWebRequest(request, body)));
    return isLegacy ? legacy(sessions, request, response, body) : modernHandler(request, response, body);
  }).listen(port, '127.0.0.1');
}

const port = Number(process.argv[2]);
if (port) serveHttp(port);
else serveStdio(fixture);
