// Sentry: issues of one organization, with pages in the Link header. The other requests are answered by Prism with
// Sentry's examples, and Prism checks all requests.
import { Answer, Refusal, bearer, page } from '../fake-server.mjs';

const refusal = (status, detail, headers) => new Refusal(status, { detail }, headers);
const issues = new Map(
  ['The mill stops', 'The printer jams', 'The store is full'].map((title, at) => {
    const id = String(at + 1);
    const time = `2026-01-0${at + 1}T03:04:05Z`;
    return [id, {
      id, shortId: `ENGINE-${id}`, title, culprit: 'turn(mill)', level: 'error', status: 'unresolved', substatus: 'new', priority: 'high', count: '3', userCount: 2, firstSeen: time, lastSeen: time,
      project: { id: '1', name: 'Engine', slug: 'engine', platform: 'rust' }, assignedTo: null, isUnhandled: true, permalink: `https://acme.sentry.io/issues/${id}/`, metadata: {}, type: 'error'
    }];
  })
);

function found(id) {
  const issue = issues.get(id);
  if (!issue) throw refusal(404, 'The requested resource does not exist');
  return issue;
}

export const vendor = {
  credential: 'sntryu_mock',
  credentialOf: bearer,
  lost: () => refusal(401, 'Invalid token'),
  limited: (seconds) => refusal(429, 'You are attempting to use this endpoint too frequently.', { 'retry-after': String(seconds) }),
  missing: () => refusal(404, 'The requested resource does not exist'),
  isChecked: true,
  routes: [
    ['GET', '/api/0/organizations/{org}/issues/', ({ org }, { query, origin }) => {
      const status = /is:(\w+)/.exec(query.query ?? '')?.[1];
      const all = [...issues.values()].filter((issue) => !status || issue.status === status);
      const start = query.cursor ? Number(query.cursor.split(':')[1]) : 0;
      const { items, next } = page(all, start, Number(query.limit ?? 100));
      const link = (rel, offset, results) =>
        `<${origin}/api/0/organizations/${org}/issues/?cursor=0:${offset}:0>; rel="${rel}"; results="${results}"; cursor="0:${offset}:0"`;
      // Sentry names a next page even if it is empty.
      const links = [link('previous', 0, start > 0), link('next', next ?? all.length, next !== null)].join(', ');
      return new Answer(items, { headers: { link: links } });
    }],
    ['GET', '/api/0/organizations/{org}/issues/{id}/', ({ id }) => found(id)],
    ['PUT', '/api/0/organizations/{org}/issues/{id}/', ({ id }, { body }) => Object.assign(found(id), body.status ? { status: body.status } : {})],
    ['DELETE', '/api/0/organizations/{org}/issues/{id}/', ({ id }) => {
      found(id);
      issues.delete(id);
      return new Answer(undefined, { status: 202 });
    }]
  ]
};
