// Drives the Inspector's command line, one run per operation, through a plan; see plan.mjs. Its command line
// declares no capabilities, shows no progress and keeps no connection, so only listing, calling and reading apply.
import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drive } from './plan.mjs';

const LAUNCHER = fileURLToPath(
  new URL('../node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js', import.meta.url)
);
const storage = mkdtempSync(join(tmpdir(), 'inspector-'));
const env = {
  ...process.env,
  MCP_STORAGE_DIR: storage,
  MCP_CATALOG_PATH: join(storage, 'mcp.json'),
  MCP_CLIENT_CONFIG_PATH: join(storage, 'client.json')
};

await drive(async (config) => {
  const run = (method, ...options) => inspector(config, method, options);
  const { protocolVersion } = await run('initialize');
  return {
    revision: protocolVersion,
    listTools: async () => (await run('tools/list')).tools,
    callTool: ({ name, arguments: args }) =>
      run('tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args)),
    readResource: (uri) => run('resources/read', '--uri', uri),
    close: () => {}
  };
});

function inspector(config, method, options) {
  const { url, command } = config.target;
  const target = url ? ['--server-url', url, '--transport', 'http'] : ['--', ...command];
  const common = ['--cli', '--protocol-era', config.era, '--method', method, '--format', 'json', '--quiet'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [LAUNCHER, ...common, ...options, ...target], { env }, (error, stdout, stderr) => {
      const [first] = stdout.split('\n');
      if (first.startsWith('{')) resolve(JSON.parse(first).result);
      else reject(new Error(`${error ?? ''} ${stdout} ${stderr}`));
    });
  });
}
