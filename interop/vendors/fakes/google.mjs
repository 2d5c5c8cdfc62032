// The parts of Google Calendar and Drive that the emulator does not have: single events, their occurrences and answers;
// the account, export, copies, comments, permissions, shared drives and the trash.
import { Refusal, bearer, cursorPage, moment } from '../fake-server.mjs';

const refusal = (code, message, reason, headers) => new Refusal(code, { error: { code, message, status: reason, errors: [{ message, domain: 'global', reason }] } }, headers);
const ada = { displayName: 'Ada Lovelace', emailAddress: 'ada@acme.example', me: true };
const at = (time) => ({ dateTime: time, timeZone: 'UTC' });
const events = new Map([['weekly', {
  kind: 'calendar#event', id: 'weekly', status: 'confirmed', summary: 'Weekly', start: at('2026-03-02T09:00:00Z'), end: at('2026-03-02T09:30:00Z'), recurrence: ['RRULE:FREQ=WEEKLY;COUNT=3'],
  organizer: { email: 'grace@acme.example' }, htmlLink: 'https://calendar.google.com/event?eid=weekly', updated: moment(),
  attendees: [{ email: 'ada@acme.example', self: true, responseStatus: 'needsAction' }, { email: 'grace@acme.example', responseStatus: 'accepted' }]
}]]);
const files = new Map();
const comments = new Map();
const permissions = new Map();
let number = 0;

function add(name, mimeType) {
  const id = `file_${++number}`;
  files.set(id, { kind: 'drive#file', id, name, mimeType, trashed: false, webViewLink: `https://drive.google.com/file/d/${id}` });
  comments.set(id, []);
  permissions.set(id, [{ id: `p${++number}`, type: 'user', role: 'owner', emailAddress: ada.emailAddress, displayName: ada.displayName }]);
  return files.get(id);
}
const document = add('Plan', 'application/vnd.google-apps.document');
document.id = 'plan';
for (const map of [files, comments, permissions]) map.set('plan', map.get('file_1'));

function found(map, id) {
  const item = map.get(id);
  if (!item) throw refusal(404, `Not Found: ${id}`, 'notFound');
  return item;
}
const list = (all, query, name, own = (item) => item) => {
  const { items, next } = cursorPage(all, query.pageToken, Number(query.maxResults ?? query.pageSize ?? 100));
  return { [name]: items.map(own), ...(next ? { nextPageToken: next } : {}) };
};
const event = '/calendar/v3/calendars/{calendar}/events/{id}';
const file = '/drive/v3/files/{id}';

export const vendor = {
  credential: 'ya29.mock',
  credentialOf: bearer,
  lost: () => refusal(401, 'Request had invalid authentication credentials.', 'UNAUTHENTICATED'),
  limited: (seconds) => refusal(429, 'Rate Limit Exceeded', 'rateLimitExceeded', { 'retry-after': String(seconds) }),
  missing: () => refusal(404, 'Not Found', 'notFound'),
  routes: [
    ['GET', '/calendar/v3/users/me/calendarList', (_, { query }) =>
      list([{ id: 'ada@acme.example', summary: 'Ada', primary: true, accessRole: 'owner' }, { id: 'team', summary: 'Team', accessRole: 'reader' }], query, 'items')],
    ['GET', event, ({ id }) => found(events, id)],
    ['GET', `${event}/instances`, ({ id }, { query }) => {
      const own = found(events, id);
      const days = [2, 9, 16].map((day) => `2026-03-${String(day).padStart(2, '0')}`);
      return list(days, query, 'items', (day) => ({ ...own, recurrence: undefined, id: `${id}_${day}`, start: at(`${day}T09:00:00Z`), end: at(`${day}T09:30:00Z`) }));
    }],
    ['PATCH', event, ({ id }, { body }) => {
      const own = found(events, id);
      const { attendees, attendeesOmitted, start, end, ...others } = body;
      Object.assign(own, others);
      // A member that is null is removed.
      const merged = (old, fresh) => Object.fromEntries(Object.entries({ ...old, ...fresh }).filter(([, value]) => value !== null));
      if (start) own.start = merged(own.start, start);
      if (end) own.end = merged(own.end, end);
      if (attendees && attendeesOmitted) own.attendees = own.attendees.map((old) => ({ ...old, ...attendees.find(({ email }) => email === old.email) }));
      else if (attendees) own.attendees = attendees;
      return own;
    }],
    ['GET', '/drive/v3/about', (_, { query }) => {
      if (!query.fields) throw refusal(400, "The 'fields' parameter is required for this method.", 'required');
      return { user: ada, storageQuota: { limit: '1000', usage: '10' } };
    }],
    ['GET', '/drive/v3/drives', (_, { query }) => list([{ kind: 'drive#drive', id: 'd1', name: 'Sales' }, { kind: 'drive#drive', id: 'd2', name: 'Works' }], query, 'drives')],
    ['GET', `${file}/export`, ({ id }, { query }) => {
      found(files, id);
      return Buffer.from(query.mimeType === 'text/markdown' ? '# Plan\n\nBuy gears.' : 'Plan\nBuy gears.');
    }],
    ['POST', `${file}/copy`, ({ id }, { body }) => add(body.name ?? `Copy of ${found(files, id).name}`, found(files, id).mimeType)],
    ['PATCH', file, ({ id }, { body }) => Object.assign(found(files, id), body)],
    ['GET', `${file}/comments`, ({ id }, { query }) => list(found(comments, id), query, 'comments')],
    ['POST', `${file}/comments`, ({ id }, { body }) => {
      const comment = { id: `c${++number}`, content: body.content, author: ada, createdTime: moment(number), resolved: false, replies: [], quotedFileContent: { value: 'gears' } };
      found(comments, id).push(comment);
      return comment;
    }],
    ['GET', `${file}/permissions`, ({ id }, { query }) => list(found(permissions, id), query, 'permissions')],
    ['POST', `${file}/permissions`, ({ id }, { body }) => {
      const permission = { id: `p${++number}`, ...body };
      found(permissions, id).push(permission);
      return permission;
    }]
  ]
};
