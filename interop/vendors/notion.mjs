// A stateful Notion in memory: one workspace with pages, a database with one data source, and comments. The argument is
// the port. It knows what the connector's tools use; Prism checks its answers against Notion's description.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

const now = () => new Date().toISOString();
const text = (content) => [{ type: 'text', text: { content, link: null }, plain_text: content, href: null }];
const plain = (parts) => (parts ?? []).map((part) => part.text.content).join('');
const user = { object: 'user', id: '11111111-1111-4111-8111-111111111111' };
const people = [
  { ...user, type: 'person', name: 'Ada Lovelace', avatar_url: null, person: { email: 'ada@acme.example' } },
  { object: 'user', id: '22222222-2222-4222-8222-222222222222', type: 'bot', name: 'Agent', avatar_url: null, bot: {} }
];
const columns = {
  Name: { id: 'title', name: 'Name', type: 'title', title: {} },
  Status: { id: 's', name: 'Status', type: 'select', select: { options: [{ id: 'a', name: 'Open' }, { id: 'b', name: 'Done' }] } },
  Points: { id: 'p', name: 'Points', type: 'number', number: { format: 'number' } }
};
const database = '33333333-3333-4333-8333-333333333333';
const source = '44444444-4444-4444-8444-444444444444';
const pages = new Map();
const comments = [];
let clock = 0;

function property(name, value) {
  const type = columns[name]?.type ?? 'title';
  const written = type === 'title' ? text(plain(value.title)) : value[type];
  return { id: columns[name]?.id ?? 'title', type, [type]: written };
}

function addPage(parent, properties, markdown = '') {
  const id = randomUUID();
  // Two pages of one moment would have no order.
  const time = new Date(Date.now() + clock++).toISOString();
  const own = Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, property(name, value)]));
  const page = {
    object: 'page', id, created_time: time, last_edited_time: time, created_by: user, last_edited_by: user, parent,
    cover: null, icon: null, archived: false, in_trash: false, properties: own, public_url: null,
    url: `https://www.notion.so/${id.replaceAll('-', '')}`
  };
  pages.set(id, { page, markdown });
  return page;
}

const workspace = { type: 'workspace', workspace: true };
const titled = (title) => ({ title: { title: [{ text: { content: title } }] } });
const home = addPage(workspace, titled('Engineering'), '# Engineering\n\nNotes of the team.');
const below = { type: 'page_id', page_id: home.id };
addPage(below, titled('Bug: the mill stops'), 'The mill stops after 3 turns.\n\nPriority: high');
addPage(below, titled('Bug: the printer jams'), 'The printer jams on thick paper.\n\nPriority: low');
const row = { type: 'data_source_id', data_source_id: source, database_id: database };
for (const [name, status, points] of [['Gears', 'Open', 3], ['Levers', 'Done', 5], ['Cards', 'Open', 8]]) {
  addPage(row, { Name: titled(name).title, Status: { select: { name: status } }, Points: { number: points } });
}
const dataSource = {
  object: 'data_source', id: source, title: text('Parts'), properties: columns, parent: { type: 'database_id', database_id: database },
  created_time: now(), last_edited_time: now(), url: 'https://www.notion.so/parts', in_trash: false, archived: false
};

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

function entry(id) {
  const found = pages.get(id);
  if (!found) throw new Refusal(404, 'object_not_found', `Could not find page with ID: ${id}. Make sure it is shared with your integration.`);
  return found;
}

function list(results, { start_cursor: cursor, page_size: size = 100 }) {
  const start = cursor ? results.findIndex((result) => result.id === cursor) : 0;
  if (start < 0) throw new Refusal(400, 'validation_error', 'The start_cursor provided is invalid.');
  const end = start + Number(size);
  const next_cursor = results[end]?.id ?? null;
  return { object: 'list', results: results.slice(start, end), next_cursor, has_more: next_cursor !== null };
}

const titleOf = ({ object, title, properties }) =>
  object === 'page' ? plain(Object.values(properties).find(({ type }) => type === 'title').title) : plain(title);
const markdownOf = (id, { markdown }) => ({ object: 'page_markdown', id, markdown, truncated: false, unknown_block_ids: [] });

function meets({ property, number, select }, page) {
  const value = page.properties[property];
  if (number) return Object.entries(number).every(([condition, than]) => (condition === 'greater_than' ? value.number > than : value.number === than));
  return Object.entries(select).every(([condition, name]) => (condition === 'equals') === (value.select?.name === name));
}

function edit(found, body) {
  if (body.type === 'replace_content') {
    found.markdown = body.replace_content.new_str;
  } else {
    for (const { old_str: old, new_str: fresh, replace_all_matches: all } of body.update_content.content_updates) {
      if (!found.markdown.includes(old)) throw new Refusal(400, 'validation_error', `Could not find the text: ${old}`);
      found.markdown = all ? found.markdown.replaceAll(old, fresh) : found.markdown.replace(old, fresh);
    }
  }
  found.page.last_edited_time = now();
}

const routes = [
  ['GET', /^\/v1\/users\/me$/, () => ({ ...people[1], bot: { owner: { type: 'workspace', workspace: true }, workspace_name: 'Acme' } })],
  ['GET', /^\/v1\/users$/, (body, query) => list(people, query)],
  ['POST', /^\/v1\/search$/, (body) => {
    const all = [...[...pages.values()].map(({ page }) => page), dataSource];
    const kind = body.filter?.value;
    const words = (body.query ?? '').toLowerCase();
    const found = all.filter((item) => (!kind || item.object === kind) && titleOf(item).toLowerCase().includes(words));
    found.sort((a, b) => (a.last_edited_time < b.last_edited_time ? -1 : 1));
    return list(body.sort?.direction === 'ascending' ? found : found.reverse(), body);
  }],
  ['POST', /^\/v1\/pages$/, ({ parent, properties }) => {
    if (parent.database_id) return addPage(row, properties);
    return addPage({ type: 'page_id', page_id: entry(parent.page_id).page.id }, properties);
  }],
  ['GET', /^\/v1\/pages\/([^/]+)$/, (body, query, id) => entry(id).page],
  ['PATCH', /^\/v1\/pages\/([^/]+)$/, ({ properties }, query, id) => {
    const { page } = entry(id);
    for (const [name, value] of Object.entries(properties)) page.properties[name] = property(name, value);
    page.last_edited_time = now();
    return page;
  }],
  ['POST', /^\/v1\/pages\/([^/]+)\/move$/, ({ parent }, query, id) => Object.assign(entry(id).page, { parent })],
  ['GET', /^\/v1\/pages\/([^/]+)\/markdown$/, (body, query, id) => markdownOf(id, entry(id))],
  ['PATCH', /^\/v1\/pages\/([^/]+)\/markdown$/, (body, query, id) => {
    edit(entry(id), body);
    return markdownOf(id, entry(id));
  }],
  ['PATCH', /^\/v1\/blocks\/([^/]+)\/children$/, ({ children }, query, id) => {
    const found = entry(id);
    const lines = children.map((child) => (child.type === 'bulleted_list_item' ? '- ' : '') + plain(child[child.type].rich_text));
    found.markdown = [found.markdown, ...lines].filter(Boolean).join('\n');
    return list(children.map((child) => ({ object: 'block', id: randomUUID(), ...child })), {});
  }],
  ['DELETE', /^\/v1\/blocks\/([^/]+)$/, (body, query, id) => {
    const { page } = entry(id);
    pages.delete(id);
    return { object: 'block', id, type: 'child_page', parent: page.parent, in_trash: true, archived: true };
  }],
  ['GET', /^\/v1\/comments$/, (body, query) => list(comments.filter(({ parent }) => parent.page_id === query.block_id), query)],
  ['POST', /^\/v1\/comments$/, ({ parent, rich_text }) => {
    const comment = {
      object: 'comment', id: randomUUID(), parent: { type: 'page_id', page_id: entry(parent.page_id).page.id },
      discussion_id: randomUUID(), created_time: now(), last_edited_time: now(), created_by: user, rich_text: text(plain(rich_text))
    };
    comments.push(comment);
    return comment;
  }],
  ['GET', /^\/v1\/databases\/([^/]+)$/, () => ({
    object: 'database', id: database, title: text('Parts'), parent: below, url: 'https://www.notion.so/parts', in_trash: false,
    data_sources: [{ id: source, name: 'Parts' }], created_time: now(), last_edited_time: now()
  })],
  ['GET', /^\/v1\/data_sources\/([^/]+)$/, () => dataSource],
  ['POST', /^\/v1\/data_sources\/([^/]+)\/query$/, (body) => {
    const rows = [...pages.values()].map(({ page }) => page).filter(({ parent }) => parent.data_source_id === source);
    const found = rows.filter((page) => (body.filter?.and ?? []).every((condition) => meets(condition, page)));
    const [sort] = body.sorts ?? [];
    if (sort) {
      const value = ({ properties }) => properties[sort.property].number;
      found.sort((a, b) => (sort.direction === 'descending' ? value(b) - value(a) : value(a) - value(b)));
    }
    return list(found, body);
  }]
];

function answer(request, body) {
  if (request.headers.authorization !== 'Bearer ntn_mock') throw new Refusal(401, 'unauthorized', 'API token is invalid.');
  if (!request.headers['notion-version']) throw new Refusal(400, 'missing_version', 'Notion-Version header failed validation.');
  const url = new URL(request.url, 'http://localhost');
  for (const [method, path, handle] of routes) {
    const match = method === request.method && path.exec(url.pathname);
    if (match) return handle(body, Object.fromEntries(url.searchParams), match[1]);
  }
  throw new Refusal(400, 'invalid_request_url', 'Invalid request URL.');
}

createServer(async (request, response) => {
  const chunks = await request.toArray();
  const send = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  try {
    send(200, answer(request, chunks.length ? JSON.parse(Buffer.concat(chunks)) : {}));
  } catch (error) {
    const { status = 500, code = 'internal_server_error', message } = error;
    send(status, { object: 'error', status, code, message });
  }
}).listen(Number(process.argv[2]), '127.0.0.1');
