// An agent at work: it reads pages of Notion and files them as issues in Linear, through one endpoint. It does so twice,
// once with the TypeScript client and once with `loggia call`, and then looks at the state of both vendors themselves.
// The configuration is the first argument, as JSON:
//
//   url              the endpoint of `loggia up`
//   loggia           the program
//   linear, notion   the URLs of the vendors
//
// It prints one line of JSON for each part, `{"op", "ok", "detail"}`.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const config = JSON.parse(process.argv[2]);
const PRIORITIES = { high: 2, low: 4 };
const run = promisify(execFile);

async function report(op, part) {
  let line;
  try {
    line = { op, ok: true, detail: String(await part()) };
  } catch (error) {
    line = { op, ok: false, detail: String(error?.stack ?? error).slice(0, 2000) };
  }
  await new Promise((done) => process.stdout.write(`${JSON.stringify(line)}\n`, done));
}

function same(actual, expected) {
  const [shown, wanted] = [actual, expected].map((value) => JSON.stringify(value));
  if (shown !== wanted) throw new Error(`expected ${wanted}, got ${shown}`);
}

/** Returns the JSON of a tool's result. */
function resultOf(tool, { isError, content }) {
  if (isError) throw new Error(`${tool}: ${content.map(({ text }) => text).join('\n')}`);
  return JSON.parse(content[0].text);
}

/** Files each page about a bug as an issue, and returns the issues. `title` makes the issues of two runs different. */
async function fileBugs(call, title) {
  const pages = await call('notion_search', { query: 'bug', kind: 'page' });
  const [team] = await call('linear_list_teams', {});
  const { states, labels } = await call('linear_describe_team', { team_id: team.id });
  const idOf = (list, name) => list.find((item) => item.name === name).id;
  const issues = [];
  for (const page of pages) {
    const { markdown } = await call('notion_read_page', { page_id: page.id });
    const priority = PRIORITIES[/Priority: (\w+)/.exec(markdown)[1]];
    const issue = await call('linear_create_issue', {
      team_id: team.id, title: `${title}: ${page.title}`, description: `${markdown}\n\n${page.url}`, priority,
      label_ids: [idOf(labels, 'Bug')]
    });
    if (priority === PRIORITIES.high) {
      await call('linear_update_issue', { issue: issue.issue, state_id: idOf(states, 'In Progress') });
    }
    await call('linear_comment', { issue: issue.issue, text: `From the page ${page.title}` });
    await call('notion_comment', { page_id: page.id, text: `Filed as ${issue.issue}` });
    issues.push({ issue: issue.issue, page: page.id });
  }
  return issues;
}

/** Looks at the vendors themselves. */
async function check(issues, title) {
  const query = `query { issues(first: 100) { nodes {
    identifier title description priority state { name } labels { nodes { name } } comments { nodes { body } }
  } } }`;
  const headers = { 'content-type': 'application/json', authorization: 'lin_api_mock' };
  const response = await fetch(`${config.linear}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data } = await response.json();
  const own = data.issues.nodes.filter((issue) => issue.title.startsWith(`${title}: `));
  const shown = own.map((issue) => ({
    title: issue.title.slice(title.length + 2), priority: issue.priority, state: issue.state.name,
    labels: issue.labels.nodes.map(({ name }) => name), comments: issue.comments.nodes.map(({ body }) => body)
  }));
  const wanted = (name, priority, state) =>
    ({ title: name, priority, state, labels: ['Bug'], comments: [`From the page ${name}`] });
  same(shown.sort((a, b) => a.priority - b.priority), [
    wanted('Bug: the mill stops', 2, 'In Progress'),
    wanted('Bug: the printer jams', 4, 'Todo')
  ]);
  if (!own.every(({ description }) => /Priority: (high|low)\n\nhttps:\/\/www\.notion\.so\//.test(description))) {
    throw new Error(`the text of a page is missing: ${JSON.stringify(own)}`);
  }
  for (const { issue, page } of issues) {
    const headers = { authorization: 'Bearer ntn_mock', 'notion-version': '2026-03-11' };
    const { results } = await (await fetch(`${config.notion}/v1/comments?block_id=${page}`, { headers })).json();
    const texts = results.map(({ rich_text: [part] }) => part.plain_text);
    if (!texts.includes(`Filed as ${issue}`)) throw new Error(`no comment about ${issue}: ${texts}`);
  }
  return issues.map(({ issue }) => issue).join(', ');
}

const client = new Client({ name: 'agent', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
const withClient = async (name, args) => resultOf(name, await client.callTool({ name, arguments: args }));
const withProgram = async (name, args) => {
  const { stdout } = await run(config.loggia, ['call', config.url, name, '--output', 'json', '--json', JSON.stringify(args)]);
  return resultOf(name, JSON.parse(stdout));
};

await report('agent: connect', async () => {
  await client.connect(new StreamableHTTPClientTransport(new URL(config.url)));
  const { tools } = await client.listTools();
  const count = (prefix) => tools.filter(({ name }) => name.startsWith(prefix)).length;
  if (!count('notion_') || !count('linear_')) throw new Error(`tools: ${tools.map(({ name }) => name)}`);
  return `${count('notion_')} tools of one system, ${count('linear_')} of the other`;
});
for (const [title, call] of [['client', withClient], ['program', withProgram]]) {
  let issues = [];
  await report(`agent: file bugs with the ${title}`, async () => {
    issues = await fileBugs(call, title);
    return `${issues.length} issues`;
  });
  await report(`agent: the state at the vendors after the ${title}`, () => check(issues, title));
}
await client.close();
process.exit(0);
