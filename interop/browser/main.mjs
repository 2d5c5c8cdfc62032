// Signs in at a protected server as people do: with a browser, and with other people's clients. Prints a line of
// JSON for each check, `{"op", "ok", "detail"}`. The configuration is the first argument, as JSON:
//
//   server   {"command": [program, …], "url"}: what to start, and where its MCP endpoint is then
//   vendor   the same, of a server that `server` uses with everybody's own credentials, as the connector "vendor"
//   browser  the path of a Chromium; without one a person is played by requests, and the walk is left out
//   python   [program, script]: the Python client
//   work     an empty folder
//   call     {"tool", "arguments", "expect"}
import { Chromium, Requests } from './person.mjs';
import { PROGRAMS, tryProgram } from './programs.mjs';
import { Server } from './server.mjs';
import { ownCredentials } from './vendor.mjs';
import { walk } from './walk.mjs';

const config = JSON.parse(process.argv[2]);

const report = async (op, check) => {
  let line;
  try {
    line = { op, ok: true, detail: String((await check()) ?? '') };
  } catch (error) {
    line = { op, ok: false, detail: String(error?.stack ?? error).slice(0, 2000) };
  }
  console.log(JSON.stringify(line));
  return line.ok;
};

const vendor = new Server(config.vendor);
const server = new Server(config.server);
const person = config.browser ? await Chromium.launch(config.browser, server) : new Requests(server);
try {
  const ready = await report('the vendor starts', () => vendor.ready());
  if (ready && (await report('the server starts', () => server.ready()))) {
    if (person instanceof Chromium) await walk(report, person, server);
    for (const program of PROGRAMS) await tryProgram(report, program, config, person);
    if (person instanceof Chromium) await ownCredentials(report, person, server, vendor, config);
    if (person instanceof Chromium) await report('no page makes the browser complain', () => person.complaints());
  }
} finally {
  await person.close();
  server.close();
  vendor.close();
}
process.exit(0);
