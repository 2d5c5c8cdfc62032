// Drives the TypeScript client 2.4 through a plan and prints one JSON line per operation; see plan.mjs.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { drive } from './plan.mjs';

const ERAS = { default: undefined, auto: { mode: 'auto' }, modern: { mode: { pin: '2026-07-28' } } };

await drive(async (config, answers) => {
  const client = new Client(
    { name: 'interop-ts24', version: '1.0.0' },
    {
      capabilities: { elicitation: { form: {} }, sampling: {}, roots: {} },
      versionNegotiation: ERAS[config.era]
    }
  );
  client.setRequestHandler('elicitation/create', async () => answers.elicit());
  client.setRequestHandler('sampling/createMessage', async () => answers.sample());
  client.setRequestHandler('roots/list', async () => ({ roots: [] }));
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => answers.updated(params.uri));
  const { url, command } = config.target;
  const transport = url
    ? new StreamableHTTPClientTransport(new URL(url))
    : new StdioClientTransport({ command: command[0], args: command.slice(1), stderr: 'inherit' });
  await client.connect(transport);
  return {
    revision: client.getNegotiatedProtocolVersion(),
    listTools: async () => (await client.listTools()).tools,
    callTool: (params, options) => client.callTool(params, options),
    readResource: (uri) => client.readResource({ uri }, { cacheMode: 'refresh' }),
    complete: (params) => client.complete(params),
    subscribe: async (uri) => {
      if (client.getProtocolEra() !== 'modern') return client.subscribeResource({ uri });
      return client.listen({ resourceSubscriptions: [uri] });
    },
    close: () => client.close()
  };
});
