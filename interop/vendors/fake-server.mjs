// What the fakes of vendors share: the server, pages of lists, and refusals.
import { createServer } from 'node:http';

export class Refusal extends Error {
  constructor(status, body, headers = {}) {
    super(String(status));
    Object.assign(this, { status, body, headers });
  }
}

/** An answer with another status than 200, or with headers, or with a body that is not JSON. */
export class Answer {
  constructor(body, { status = 200, headers = {} } = {}) {
    Object.assign(this, { body, status, headers });
  }
}

/** Returns the items from `start`, and whether there are more. */
export function page(items, start, size) {
  const end = start + size;
  return { items: items.slice(start, end), next: end < items.length ? end : null };
}

/** A page of a list whose cursor is opaque. */
export function cursorPage(items, cursor, size) {
  const start = cursor ? Number(Buffer.from(cursor, 'base64url').toString()) : 0;
  const { items: own, next } = page(items, start, size);
  return { items: own, next: next === null ? undefined : Buffer.from(String(next)).toString('base64url') };
}

const pattern = (path) => new RegExp(`^${path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
const counts = new Map();

function refuse(vendor, credential) {
  const [known, ending] = [vendor.credential, credential.slice(vendor.credential.length)];
  const refusal = { lost: () => vendor.lost(), limited: () => vendor.limited(0), stopped: () => vendor.limited(3600) }[ending.split('-')[1]];
  if (!credential.startsWith(known) || (ending && !refusal)) throw vendor.lost();
  const count = (counts.get(credential) ?? 0) + 1;
  counts.set(credential, count);
  if (refusal && count % 2 === 0) throw refusal();
}

function query(url) {
  const all = {};
  for (const name of new Set(url.searchParams.keys())) {
    const values = url.searchParams.getAll(name);
    all[name] = values.length > 1 ? values : values[0];
  }
  return all;
}

function read(request, bytes) {
  const text = bytes.toString();
  if (request.headers['content-type']?.includes('form-urlencoded')) return Object.fromEntries(new URLSearchParams(text));
  return text ? JSON.parse(text) : {};
}

async function forward(upstream, request, bytes) {
  const headers = { ...request.headers, host: new URL(upstream).host };
  delete headers.connection;
  const body = bytes.length ? bytes : undefined;
  const response = await fetch(upstream + request.url, { method: request.method, headers, body });
  const kept = Object.fromEntries(['content-type', 'link'].flatMap((name) => (response.headers.has(name) ? [[name, response.headers.get(name)]] : [])));
  return new Answer(Buffer.from(await response.arrayBuffer()), { status: response.status, headers: kept });
}

async function answer(vendor, upstream, origin, request, bytes) {
  const url = new URL(request.url, origin);
  const open = vendor.files?.[url.pathname];
  if (open) return new Answer(open.body, { headers: { 'content-type': open.type } });
  refuse(vendor, vendor.credentialOf(request.headers));
  for (const [method, path, handle] of vendor.routes) {
    const match = method === request.method && pattern(path).exec(url.pathname);
    if (!match) continue;
    const given = { ...match.groups };
    const checked = vendor.isChecked && upstream && (await forward(upstream, request, bytes));
    if (checked && [400, 422, 500].includes(checked.status)) return checked;
    for (const name of Object.keys(given)) given[name] = decodeURIComponent(given[name]);
    return handle(given, { query: query(url), body: read(request, bytes), url, origin });
  }
  if (upstream) return forward(upstream, request, bytes);
  throw vendor.missing(url.pathname);
}

/** Serves a vendor on a port of this machine. */
export function serve(vendor, port, upstream) {
  const origin = `http://127.0.0.1:${port}`;
  createServer(async (request, response) => {
    const bytes = Buffer.concat(await request.toArray());
    let result;
    try {
      result = await answer(vendor, upstream, origin, request, bytes);
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      result = error instanceof Refusal ? error : new Answer({ error: error.message }, { status: 500 });
    }
    const { body, status = 200, headers = {} } = result instanceof Answer || result instanceof Refusal ? result : { body: result };
    const isJson = body !== undefined && !Buffer.isBuffer(body);
    response.writeHead(status, { ...(isJson ? { 'content-type': 'application/json' } : {}), ...headers });
    response.end(isJson ? JSON.stringify(body) : body);
  }).listen(port, '127.0.0.1');
}

export const bearer = (headers) => (headers.authorization ?? '').replace(/^Bearer /, '');
export const basic = (headers) => Buffer.from((headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString();
export const moment = (at = 0) => new Date(Date.UTC(2026, 0, 2, 3, 4, 5) + at * 1000).toISOString();
/** A picture of one pixel. */
export const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64'
);
