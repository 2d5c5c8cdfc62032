// Jira: one project with issues, transitions, comments, worklogs and links.
import { Answer, Refusal, basic, cursorPage, moment, page } from '../fake-server.mjs';

const refusal = (status, message, headers) => new Refusal(status, { errorMessages: [message], errors: {} }, headers);
const user = (accountId, displayName) => ({ accountId, accountType: 'atlassian', displayName, emailAddress: `${accountId}@acme.example`, active: true });
const users = [user('ada', 'Ada Lovelace'), user('grace', 'Grace Hopper')];
const statuses = ['To Do', 'In Progress', 'Done'].map((name, at) => ({ id: String(at + 1), name, statusCategory: { id: at + 2, key: ['new', 'indeterminate', 'done'][at], name } }));
const types = ['Task', 'Bug'].map((name, at) => ({ id: `1000${at}`, name, description: `A ${name.toLowerCase()}.`, subtask: false }));
const projects = ['Engine', 'Mill', 'Loom'].map((name, at) => ({ id: `1000${at}`, key: name.slice(0, 3).toUpperCase(), name, projectTypeKey: 'software' }));
const issues = new Map();

const doc = (text) => ({ type: 'doc', version: 1, content: [{ type: 'paragraph', content: [{ type: 'text', text }] }] });

function add(fields, origin) {
  const project = projects.find(({ key }) => key === fields.project.key);
  if (!project) throw refusal(400, 'project: valid project is required');
  const id = String(10000 + issues.size);
  const key = `${project.key}-${issues.size + 1}`;
  const type = types.find(({ id, name }) => id === fields.issuetype.id || name === fields.issuetype.name);
  issues.set(key, {
    id, key, self: `${origin}/rest/api/3/issue/${id}`,
    fields: {
      labels: [], components: [], fixVersions: [], subtasks: [], issuelinks: [], priority: { id: '3', name: 'Medium' }, created: moment(), reporter: users[0],
      ...fields, project, issuetype: type, status: statuses[0], updated: moment(issues.size), comment: { comments: [], total: 0, startAt: 0, maxResults: 0 }
    }
  });
  edit(issues.get(key), fields);
  return issues.get(key);
}

function edit(issue, fields) {
  const { assignee, project, issuetype, ...others } = fields;
  Object.assign(issue.fields, others);
  if (assignee !== undefined) issue.fields.assignee = assignee && users.find(({ accountId }) => accountId === assignee.accountId);
}

function found(key) {
  const issue = issues.get(key);
  if (!issue) throw refusal(404, 'Issue does not exist or you do not have permission to see it.');
  return issue;
}

for (const [summary, type] of [['The mill stops', 'Bug'], ['Oil the mill', 'Task'], ['Print tables', 'Task']]) {
  add({ project: { key: 'ENG' }, issuetype: { name: type }, summary, description: doc(`${summary} after 3 turns.`) }, 'https://acme.atlassian.net');
}

/** Jira's own query language is not here: `text ~ "word"` and `project = KEY` are. */
function selected(jql) {
  const word = /text ~ "([^"]*)"/.exec(jql)?.[1].toLowerCase() ?? '';
  const project = /project = (\w+)/.exec(jql)?.[1];
  return [...issues.values()].filter(({ fields }) => fields.summary.toLowerCase().includes(word) && (!project || fields.project.key === project));
}

const counted = (all, query, name, fallback) => {
  const startAt = Number(query.startAt ?? 0);
  const maxResults = Number(query.maxResults ?? fallback);
  const { items, next } = page(all, startAt, maxResults);
  return { startAt, maxResults, total: all.length, isLast: next === null, [name]: items };
};

export const vendor = {
  credential: 'ada@acme.example:mock',
  credentialOf: basic,
  lost: () => refusal(401, 'Client must be authenticated to access this resource.'),
  limited: (seconds) => refusal(429, 'Rate limit exceeded.', { 'retry-after': String(seconds), 'ratelimit-reason': 'jira-burst-based' }),
  missing: () => refusal(404, 'No such path'),
  routes: [
    ['GET', '/rest/api/3/myself', () => users[0]],
    ['GET', '/rest/api/3/search/jql', (_, { query }) => {
      const { items, next } = cursorPage(selected(query.jql), query.nextPageToken, Number(query.maxResults ?? 50));
      return { issues: items, isLast: next === undefined, ...(next ? { nextPageToken: next } : {}) };
    }],
    ['GET', '/rest/api/3/issue/{key}', ({ key }) => found(key)],
    ['PUT', '/rest/api/3/issue/{key}', ({ key }, { body }) => {
      edit(found(key), body.fields);
      return new Answer(undefined, { status: 204 });
    }],
    ['DELETE', '/rest/api/3/issue/{key}', ({ key }) => {
      found(key);
      issues.delete(key);
      return new Answer(undefined, { status: 204 });
    }],
    ['GET', '/rest/api/3/project/search', (_, { query }) =>
      counted(projects.filter(({ name }) => name.toLowerCase().includes((query.query ?? '').toLowerCase())), query, 'values', 50)],
    ['GET', '/rest/api/3/issue/createmeta/{project}/issuetypes', (_, { query }) => counted(types, query, 'issueTypes', 50)],
    ['GET', '/rest/api/3/issue/createmeta/{project}/issuetypes/{type}', (_, { query }) =>
      counted([
        { fieldId: 'summary', key: 'summary', name: 'Summary', required: true, hasDefaultValue: false, operations: ['set'], schema: { type: 'string' } },
        { fieldId: 'priority', key: 'priority', name: 'Priority', required: false, hasDefaultValue: true, operations: ['set'], schema: { type: 'priority' }, allowedValues: [{ id: '3', name: 'Medium' }] }
      ], query, 'fields', 50)],
    ['GET', '/rest/api/3/issue/{key}/transitions', ({ key }) => {
      found(key);
      return { transitions: statuses.map((to) => ({ id: `1${to.id}`, name: to.name, to, hasScreen: false })) };
    }],
    ['POST', '/rest/api/3/issue/{key}/transitions', ({ key }, { body }) => {
      const to = statuses.find(({ id }) => `1${id}` === body.transition.id);
      if (!to) throw refusal(400, 'Transition id is not valid for this issue.');
      found(key).fields.status = to;
      return new Answer(undefined, { status: 204 });
    }],
    ['GET', '/rest/api/3/user/search', (_, { query }) => users.filter(({ displayName }) => displayName.toLowerCase().includes(query.query.toLowerCase()))],
    ['POST', '/rest/api/3/issue', (_, { body, origin }) => {
      const { id, key, self } = add(body.fields, origin);
      return new Answer({ id, key, self }, { status: 201 });
    }],
    ['POST', '/rest/api/3/issue/{key}/comment', ({ key }, { body }) => {
      const { comment } = found(key).fields;
      const own = { id: String(500 + comment.total), author: users[0], body: body.body, created: moment(comment.total), updated: moment(comment.total) };
      comment.comments.push(own);
      comment.total += 1;
      return new Answer(own, { status: 201 });
    }],
    ['POST', '/rest/api/3/issue/{key}/worklog', ({ key }, { body }) => {
      found(key);
      return new Answer({ id: '700', timeSpent: body.timeSpent, started: body.started ?? moment(), author: users[0] }, { status: 201 });
    }],
    ['POST', '/rest/api/3/issueLink', (_, { body }) => {
      const [from, to] = [found(body.inwardIssue.key), found(body.outwardIssue.key)];
      const type = { id: '1', name: body.type.name, inward: 'is blocked by', outward: 'blocks' };
      from.fields.issuelinks.push({ id: '1', type, outwardIssue: { id: to.id, key: to.key, fields: { summary: to.fields.summary } } });
      return new Answer(undefined, { status: 201 });
    }]
  ]
};
