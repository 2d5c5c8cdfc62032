// Drives the TypeScript SDK 1.32, a client of the legacy era, through a plan; see plan.mjs.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema, ResourceUpdatedNotificationSchema
} from '@modelcontextprotocol/sdk/types.js';
import { drive } from './plan.mjs';

await drive(async (config, answers) => {
  const client = new Client(
    { name: 'interop-ts132', version: '1.0.0' },
    { capabilities: { elicitation: { form: {} }, sampling: {}, roots: {} } }
  );
  client.setRequestHandler(ElicitRequestSchema, async () => answers.elicit());
  client.setRequestHandler(CreateMessageRequestSchema, async () => answers.sample());
  client.setRequestHandler(ListRootsRequestSchema, async () => ({ roots: [] }));
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => answers.updated(params.uri));
  const { url, command } = config.target;
  const transport = url
    ? new StreamableHTTPClientTransport(new URL(url))
    : new StdioClientTransport({ command: command[0], args: command.slice(1), stderr: 'inherit' });
  let revision;
  transport.setProtocolVersion = wrap(transport, (version) => (revision = version));
  await client.connect(transport);
  return {
    revision,
    listTools: async () => {
      const tools = [];
      let cursor;
      do {
        const page = await client.listTools({ cursor });
        tools.push(...page.tools);
        cursor = page.nextCursor;
      } while (cursor);
      return tools;
    },
    callTool: (params, options) => client.callTool(params, undefined, options),
    readResource: (uri) => client.readResource({ uri }),
    complete: (params) => client.complete(params),
    subscribe: (uri) => client.subscribeResource({ uri }),
    close: async () => {
      await transport.terminateSession?.();
      await client.close();
    }
  };
});

/** The client tells its transport which revision was agreed on, and nobody else. */
function wrap(transport, seen) {
  const original = transport.setProtocolVersion?.bind(transport);
  return (version) => {
    seen(version);
    original?.(version);
  };
}
