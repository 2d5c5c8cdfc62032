// Asana: tasks of one project with pages. The other requests are answered by Prism with Asana's examples, and Prism checks
// all requests.
import { Refusal, bearer, page } from '../fake-server.mjs';

const refusal = (status, message, headers) => new Refusal(status, { errors: [{ message, help: 'For more information, see the documentation.' }] }, headers);
const tasks = new Map();

function add({ name, due_on = null, notes = '', assignee }) {
  const gid = String(1000 + tasks.size);
  tasks.set(gid, {
    gid, resource_type: 'task', name, completed: false, due_on, notes, assignee: assignee ? { gid: '7', resource_type: 'user', name: 'Ada Lovelace' } : null,
    projects: [{ gid: '12345', resource_type: 'project', name: 'Mill' }], memberships: [], modified_at: '2026-01-02T03:04:05.000Z', permalink_url: `https://app.asana.com/0/12345/${gid}`
  });
  return tasks.get(gid);
}
for (const name of ['Oil the mill', 'Count the gears', 'Sweep the store']) add({ name });

function found(gid) {
  const task = tasks.get(gid);
  if (!task) throw refusal(404, `task: Unknown object: ${gid}`);
  return task;
}

export const vendor = {
  credential: 'mock',
  credentialOf: bearer,
  lost: () => refusal(401, 'Not Authorized'),
  limited: (seconds) => refusal(429, 'You have made too many requests recently. Please, be chill.', { 'retry-after': String(seconds) }),
  missing: () => refusal(404, 'No matching route for request'),
  isChecked: true,
  routes: [
    ['GET', '/tasks', (_, { query }) => {
      const start = query.offset ? Number(query.offset.slice(1)) : 0;
      const { items, next } = page([...tasks.values()], start, Number(query.limit ?? 20));
      const offset = `o${next}`;
      return { data: items, next_page: next === null ? null : { offset, path: `/tasks?offset=${offset}`, uri: `https://app.asana.com/api/1.0/tasks?offset=${offset}` } };
    }],
    ['POST', '/tasks', (_, { body }) => ({ data: add(body.data) })],
    ['GET', '/tasks/{gid}', ({ gid }) => ({ data: found(gid) })],
    ['PUT', '/tasks/{gid}', ({ gid }, { body }) => ({ data: Object.assign(found(gid), body.data) })],
    ['DELETE', '/tasks/{gid}', ({ gid }) => {
      found(gid);
      tasks.delete(gid);
      return { data: {} };
    }]
  ]
};
