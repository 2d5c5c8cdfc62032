// A server on the TypeScript SDK 2.4: `node server.mjs --listen ADDR` or `--stdio`, and `--tools N`.
import { createServer } from 'node:http';
import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod';

const valueOf = (name) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};
const further = Number(valueOf('--tools') ?? 0);
const said = (text) => ({ content: [{ type: 'text', text }] });

function bench() {
  const server = new McpServer({ name: 'bench', version: '1.0.0' });
  const inputSchema = z.object({ text: z.string() });
  server.registerTool('echo', { description: 'Says what it is told.', inputSchema }, async ({ text }) => said(text));
  server.registerTool(
    'add',
    {
      description: 'Adds two numbers.',
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      outputSchema: z.object({ sum: z.number() })
    },
    async ({ a, b }) => ({ ...said(JSON.stringify({ sum: a + b })), structuredContent: { sum: a + b } })
  );
  server.registerTool(
    'progress',
    { description: 'Says what it is told, and before that how far it is.', inputSchema },
    async ({ text }, ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: 0.5 } });
      return said(text);
    }
  );
  for (let n = 0; n < further; n++) {
    server.registerTool(`tool_${n}`, { description: 'One of many.' }, async () => said('done'));
  }
  return server;
}

const address = valueOf('--listen');
if (address) {
  const [host, port] = address.split(':');
  const validHost = localhostHostValidation();
  const validOrigin = localhostOriginValidation();
  const handle = toNodeHandler(createMcpHandler(bench));
  createServer((request, response) => {
    if (validHost(request, response) && validOrigin(request, response)) handle(request, response);
  }).listen(Number(port), host);
} else {
  serveStdio(bench);
}
