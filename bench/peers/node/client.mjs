// Calls through the TypeScript SDK's client: `node client.mjs URL CONCURRENCY SECONDS`. Prints what a call cost
// this process.
import { readFileSync, readdirSync } from 'node:fs';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [url, concurrency, seconds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const TEXT = '0123456789abcdef0123456789abcdef';

const cpuNs = () =>
  readdirSync('/proc/self/task')
    .map((task) => Number(readFileSync(`/proc/self/task/${task}/schedstat`, 'utf8').split(' ')[0]))
    .reduce((sum, each) => sum + each, 0);

async function callAll(client, length) {
  const end = performance.now() + length * 1000;
  let calls = 0;
  const one = async () => {
    while (performance.now() < end) {
      const result = await client.callTool({ name: 'echo', arguments: { text: TEXT } });
      if (result.content[0].text !== TEXT) throw new Error(`wrong answer: ${JSON.stringify(result)}`);
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, one));
  return calls;
}

const client = new Client(
  { name: 'bench', version: '1.0.0' },
  { versionNegotiation: { mode: { pin: '2026-07-28' } } }
);
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
await callAll(client, seconds / 4);
const [before, begun] = [cpuNs(), performance.now()];
const calls = await callAll(client, seconds);
const [cpu, wall] = [cpuNs() - before, (performance.now() - begun) / 1000];
console.log(JSON.stringify({ cpu_us: cpu / 1000 / calls, calls_s: calls / wall }));
await client.close();
