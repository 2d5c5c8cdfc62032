// Canva: designs, a brand template to fill, jobs that end after they were asked for once, and files that can be loaded.
import { Answer, Refusal, bearer, cursorPage, png } from '../fake-server.mjs';

const refusal = (status, code, message, headers) => new Refusal(status, { code, message }, headers);
const thumbnail = (origin) => ({ width: 595, height: 335, url: `${origin}/files/thumbnail.png` });
const owner = { user_id: 'auDAbliZ2rQNNOsUl5OLu', team_id: 'Oi2RJILTrKk0KRhRUZozX' };
const designs = new Map();
const jobs = new Map();
const assets = new Map([['Msd59349ff', { type: 'image', id: 'Msd59349ff', name: 'Gear', tags: [], created_at: 1767323045, updated_at: 1767323045, owner }]]);
const templates = ['Poster', 'Report'].map((title, at) => ({ id: `DEMzWSwy3B${at}`, title }));
const fields = { headline: { type: 'text' }, picture: { type: 'image' } };
let number = 0;

function addDesign(title, filled) {
  const id = `DAFVztcvd9${number++}`;
  designs.set(id, { id, title, created_at: 1767323045 + number, updated_at: 1767323045 + number, page_count: 2, filled });
  return designs.get(id);
}
for (const title of ['Launch', 'Roadmap', 'Team']) addDesign(title);

const shown = ({ filled, ...design }, origin) => ({
  ...design, owner, design_types: ['presentation'], thumbnail: thumbnail(origin),
  urls: { edit_url: `${origin}/design/${design.id}/edit`, view_url: `${origin}/design/${design.id}/view` }
});

function found(all, id, what) {
  const item = all.get(id);
  if (!item) throw refusal(404, 'not_found', `${what} not found`);
  return item;
}

/** Adds a job that is in progress until it was asked for once. */
function addJob(finish) {
  const id = `450a76e7-f96f-43ae-9c37-${String(number++).padStart(12, '0')}`;
  jobs.set(id, { finish, asked: 0 });
  return { job: { id, status: 'in_progress' } };
}

function job({ id }, { origin }) {
  const own = found(jobs, id, 'Job');
  return { job: { id, ...(own.asked++ ? own.finish(origin) : { status: 'in_progress' }) } };
}

const list = (all, query, own = (item) => item) => {
  const { items, next } = cursorPage(all, query.continuation, Number(query.limit ?? 25));
  return { items: items.map(own), ...(next ? { continuation: next } : {}) };
};

export const vendor = {
  credential: 'canva-mock',
  credentialOf: bearer,
  lost: () => refusal(401, 'invalid_access_token', 'Access token is invalid'),
  limited: (seconds) => refusal(429, 'too_many_requests', 'Too many requests', { 'retry-after': String(seconds) }),
  missing: () => refusal(404, 'not_found', 'Not found'),
  files: { '/files/thumbnail.png': { type: 'image/png', body: png }, '/files/export.png': { type: 'image/png', body: png } },
  routes: [
    ['GET', '/rest/v1/users/me/profile', () => ({ profile: { display_name: 'Ada Lovelace' } })],
    ['GET', '/rest/v1/designs', (_, { query, origin }) => {
      const all = [...designs.values()].filter(({ title }) => title.toLowerCase().includes((query.query ?? '').toLowerCase()));
      return list(all, query, (design) => shown(design, origin));
    }],
    ['POST', '/rest/v1/designs', (_, { body, origin }) => {
      if (body.asset_id) found(assets, body.asset_id, 'Asset');
      return { design: shown(addDesign(body.title ?? 'Untitled'), origin) };
    }],
    ['GET', '/rest/v1/designs/{id}', ({ id }, { origin }) => ({ design: shown(found(designs, id, 'Design'), origin) })],
    ['GET', '/rest/v1/designs/{id}/pages', ({ id }, { query, origin }) => {
      found(designs, id, 'Design');
      const pages = [1, 2].map((index) => ({ index, page_number: index, design_type: { type: 'page' }, dimensions: { width: 1920, height: 1080 }, thumbnail: thumbnail(origin) }));
      return { items: pages.slice(Number(query.offset ?? 1) - 1) };
    }],
    ['GET', '/rest/v1/folders/{id}/items', (_, { query, origin }) =>
      list([...designs.values()], query, (design) => ({ type: 'design', design: shown(design, origin) }))],
    ['GET', '/rest/v1/brand-templates', (_, { query, origin }) =>
      list(templates, query, (template) => ({
        ...template, view_url: `${origin}/brand/${template.id}/view`, create_url: `${origin}/brand/${template.id}/create`,
        thumbnail: thumbnail(origin), created_at: 1767323045, updated_at: 1767323045
      }))],
    ['GET', '/rest/v1/brand-templates/{id}/dataset', ({ id }) => {
      if (!templates.some((template) => template.id === id)) throw refusal(404, 'not_found', 'Brand template not found');
      return { dataset: fields };
    }],
    ['POST', '/rest/v1/autofills', (_, { body }) => {
      for (const [name, value] of Object.entries(body.data)) {
        if (fields[name]?.type !== value.type) throw refusal(400, 'bad_request_params', `The field ${name} is no ${value.type}`);
        if (value.asset_id) found(assets, value.asset_id, 'Asset');
      }
      return addJob((origin) => {
        const design = addDesign(body.title ?? 'Filled', body.data);
        return { status: 'success', result: { type: 'create_design', design: shown(design, origin) } };
      });
    }],
    ['GET', '/rest/v1/autofills/{id}', job],
    ['POST', '/rest/v1/exports', (_, { body }) => {
      found(designs, body.design_id, 'Design');
      return addJob((origin) => ({ status: 'success', urls: [`${origin}/files/export.${body.format.type}`] }));
    }],
    ['GET', '/rest/v1/exports/{id}', job],
    ['POST', '/rest/v1/url-asset-uploads', (_, { body }) => addJob(() => {
      const id = `Msd59350f${number++}`;
      assets.set(id, { type: 'image', id, name: body.name, tags: [], created_at: 1767323045, updated_at: 1767323045, owner });
      return { status: 'success', asset: assets.get(id) };
    })],
    ['GET', '/rest/v1/url-asset-uploads/{id}', job],
    ['POST', '/rest/v1/designs/{id}/comments', ({ id }, { body }) => {
      found(designs, id, 'Design');
      const content = { plaintext: body.message_plaintext, markdown: body.message_plaintext };
      return { thread: { id: `KeAZEAjijEb${number++}`, design_id: id, thread_type: { type: 'comment', content, mentions: {} }, created_at: 1767323045, updated_at: 1767323045 } };
    }],
    ['DELETE', '/rest/v1/assets/{id}', ({ id }) => {
      found(assets, id, 'Asset');
      assets.delete(id);
      return new Answer(undefined, { status: 204 });
    }]
  ]
};
