// Confluence: two spaces with pages and comments. Pages are kept in the storage format, and read as a document of one
// paragraph for each of theirs.
import { Answer, Refusal, basic, cursorPage, moment } from '../fake-server.mjs';

const refusal = (status, title, headers) => new Refusal(status, { errors: [{ status, code: 'REFUSED', title, detail: '' }] }, headers);
const spaces = [['ENG', 'Engineering'], ['OPS', 'Operations']].map(([key, name], at) => ({
  id: String(100 + at), key, name, type: 'global', status: 'current', homepageId: String(200 + at), _links: { webui: `/spaces/${key}` }
}));
const pages = new Map();
const comments = [];
let number = 300;

function add({ spaceId, title, parentId, body }) {
  const id = String(++number);
  pages.set(id, { id, status: 'current', title, spaceId, ...(parentId ? { parentId } : {}), version: { number: 1, createdAt: moment(number), authorId: 'ada' }, storage: body.value });
  return pages.get(id);
}
const home = add({ spaceId: '100', title: 'Engine', body: { value: '<p>The engine.</p>' } });
for (const title of ['The mill', 'The store']) add({ spaceId: '100', title, parentId: home.id, body: { value: `<p>${title} is ready.</p>` } });

/** Returns the document of paragraphs, which is how Confluence gives a page as JSON. */
function documentOf(storage) {
  const texts = [...storage.matchAll(/<p>(.*?)<\/p>/g)].map(([, text]) => text);
  return JSON.stringify({ type: 'doc', version: 1, content: texts.map((text) => ({ type: 'paragraph', content: [{ type: 'text', text }] })) });
}

function shown({ storage, ...page }, origin, format) {
  const body = format === 'storage' ? { storage: { representation: format, value: storage } } : { atlas_doc_format: { representation: 'atlas_doc_format', value: documentOf(storage) } };
  return { ...page, ...(format ? { body } : {}), _links: { base: `${origin}/wiki`, webui: `/pages/${page.id}` } };
}

function found(id) {
  const page = pages.get(id);
  if (!page) throw refusal(404, 'Not Found');
  return page;
}

function list(all, { query, url, origin }, own = (item) => item) {
  const { items, next } = cursorPage(all, query.cursor, Number(query.limit ?? 25));
  return { results: items.map(own), _links: { base: `${origin}/wiki`, ...(next ? { next: `${url.pathname}?cursor=${next}` } : {}) } };
}

export const vendor = {
  credential: 'ada@acme.example:mock',
  credentialOf: basic,
  lost: () => refusal(401, 'Unauthorized'),
  limited: (seconds) => refusal(429, 'Rate limit exceeded', { 'retry-after': String(seconds) }),
  missing: () => refusal(404, 'Not Found'),
  routes: [
    ['GET', '/wiki/rest/api/user/current', () => ({
      type: 'known', accountId: 'ada', accountType: 'atlassian', email: 'ada@acme.example', publicName: 'Ada Lovelace', displayName: 'Ada Lovelace',
      profilePicture: { path: '/ada.png', width: 48, height: 48, isDefault: true }, _expandable: {}, _links: {}
    })],
    ['GET', '/wiki/rest/api/search', (_, given) => {
      const word = /(?:text|title) ~ "([^"]*)"/.exec(given.query.cql)?.[1].toLowerCase() ?? '';
      const all = [...pages.values()].filter(({ title }) => title.toLowerCase().includes(word));
      const answer = list(all, given, ({ id, title, version }) => ({
        content: { id, type: 'page', status: 'current', title, _expandable: {}, _links: {} }, title: title.replace(/\w+$/, '@@@hl@@@$&@@@endhl@@@'), excerpt: title, url: `/pages/${id}`,
        resultGlobalContainer: { title: 'Engineering', displayUrl: '/spaces/ENG' }, breadcrumbs: [], entityType: 'content', iconCssClass: '', lastModified: version.createdAt
      }));
      return { ...answer, start: 0, limit: Number(given.query.limit ?? 25), size: answer.results.length, totalSize: all.length, cqlQuery: given.query.cql, searchDuration: 1 };
    }],
    ['GET', '/wiki/api/v2/spaces', (_, given) => list(spaces, given)],
    ['GET', '/wiki/api/v2/pages', (_, given) => {
      const all = [...pages.values()].filter(({ title }) => !given.query.title || title === given.query.title);
      return list(all, given, (page) => shown(page, given.origin));
    }],
    ['GET', '/wiki/api/v2/pages/{id}', ({ id }, { query, origin }) => shown(found(id), origin, query['body-format'])],
    ['GET', '/wiki/api/v2/pages/{id}/children', ({ id }, given) =>
      list([...pages.values()].filter(({ parentId }) => parentId === id), given, ({ id, status, title, spaceId }) => ({ id, status, title, spaceId }))],
    ['GET', '/wiki/api/v2/pages/{id}/footer-comments', ({ id }, given) => list(comments.filter(({ pageId }) => pageId === found(id).id), given, (one) => shown(one, given.origin, given.query['body-format']))],
    ['POST', '/wiki/api/v2/pages', (_, { body, origin }) => shown(add(body), origin, 'storage')],
    ['PUT', '/wiki/api/v2/pages/{id}', ({ id }, { body, origin }) => {
      const page = found(id);
      if (body.version.number !== page.version.number + 1) throw refusal(409, `Version must be incremented on update. Current version is: ${page.version.number}`);
      Object.assign(page, { title: body.title, storage: body.body.value, version: { ...page.version, ...body.version } });
      return shown(page, origin, 'storage');
    }],
    ['POST', '/wiki/api/v2/footer-comments', (_, { body, origin }) => {
      const pageId = body.pageId && found(body.pageId).id;
      const comment = { id: String(++number), status: 'current', title: 'Re', pageId, version: { number: 1, createdAt: moment(number), authorId: 'ada' }, storage: body.body.value };
      comments.push(comment);
      return new Answer(shown(comment, origin, 'storage'), { status: 201 });
    }],
    ['DELETE', '/wiki/api/v2/pages/{id}', ({ id }) => {
      found(id);
      pages.delete(id);
      return new Answer(undefined, { status: 204 });
    }]
  ]
};
