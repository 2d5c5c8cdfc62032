// HubSpot: records of a CRM with properties, associations, owners and pipelines.
import { Answer, Refusal, bearer, moment, page } from '../fake-server.mjs';

const refusal = (status, category, message) =>
  new Refusal(status, { status: 'error', message, correlationId: 'aeb5f871-7f07-4993-9211-075dc63e7cbf', category });
const records = new Map();
const links = [];
const owners = ['Ada Lovelace', 'Grace Hopper'].map((name, at) => {
  const [firstName, lastName] = name.split(' ');
  return {
    id: `7${at}`, email: `${firstName.toLowerCase()}@acme.example`, firstName, lastName, userId: at + 1, type: 'PERSON', archived: false,
    createdAt: moment(), updatedAt: moment(), teams: [{ id: '1', name: 'Sales', primary: true }]
  };
});
let number = 100;

function add(type, properties, associations = []) {
  const id = String(++number);
  const record = { id, type, properties: { ...properties }, createdAt: moment(number), updatedAt: moment(number), archived: false };
  records.set(id, record);
  for (const { to, types } of associations) links.push({ from: id, to: to.id, typeId: types[0].associationTypeId });
  return record;
}
const gears = add('companies', { name: 'Gears Ltd', domain: 'gears.example' });
for (const [firstname, email] of [['Charles', 'charles@gears.example'], ['Mary', 'mary@gears.example'], ['Luigi', 'luigi@gears.example']]) {
  links.push({ from: add('contacts', { firstname, email, lifecyclestage: 'lead' }).id, to: gears.id, typeId: 1 });
}

function found(type, id) {
  const record = records.get(id);
  if (!record || record.type !== type || record.archived) throw refusal(404, 'OBJECT_NOT_FOUND', 'Object not found. objectId are usually numeric.');
  return record;
}

const shown = ({ type, ...record }, names) => ({
  ...record, properties: Object.fromEntries(Object.entries(record.properties).filter(([name]) => !names?.length || names.includes(name)))
});
const tests = {
  EQ: (own, { value }) => own === value,
  NEQ: (own, { value }) => own !== value,
  IN: (own, { values }) => values.includes(own),
  CONTAINS_TOKEN: (own, { value }) => own?.includes(value.replaceAll('*', '')),
  HAS_PROPERTY: (own) => own !== undefined
};
const matches = (record, groups) =>
  !groups?.length || groups.some(({ filters }) => filters.every((filter) => tests[filter.operator](record.properties[filter.propertyName], filter)));

function paged(all, after, limit) {
  const { items, next } = page(all, Number(after ?? 0), Number(limit));
  return { results: items, ...(next === null ? {} : { paging: { next: { after: String(next) } } }) };
}

const of = (type) => [...records.values()].filter((record) => record.type === type && !record.archived);

export const vendor = {
  credential: 'pat-mock',
  credentialOf: bearer,
  lost: () => refusal(401, 'INVALID_AUTHENTICATION', 'Authentication credentials not found'),
  limited: (seconds) =>
    new Refusal(429, {
      status: 'error', message: 'You have reached your secondly limit.', errorType: 'RATE_LIMIT',
      correlationId: 'c033cdaa-2c40-4a64-ae48-b4cec88dad24', policyName: 'SECONDLY'
    }, { 'retry-after': String(seconds) }),
  missing: () => refusal(404, 'OBJECT_NOT_FOUND', 'No such path'),
  routes: [
    ['GET', '/account-info/v3/details', () => ({
      portalId: 1234567, accountType: 'STANDARD', timeZone: 'UTC', companyCurrency: 'EUR', additionalCurrencies: [],
      utcOffset: '+00:00', utcOffsetMilliseconds: 0, uiDomain: 'app.hubspot.com', dataHostingLocation: 'eu1'
    })],
    ['POST', '/crm/v3/objects/{type}/search', ({ type }, { body }) => {
      const words = (body.query ?? '').toLowerCase();
      const all = of(type).filter((record) => Object.values(record.properties).some((value) => value.toLowerCase().includes(words)));
      const some = all.filter((record) => matches(record, body.filterGroups));
      return { total: some.length, ...paged(some.map((record) => shown(record, body.properties)), body.after, body.limit ?? 10) };
    }],
    ['POST', '/crm/v3/objects/{type}/batch/read', ({ type }, { body }) => ({
      status: 'COMPLETE', startedAt: moment(), completedAt: moment(),
      results: body.inputs.map(({ id }) => shown(found(type, id), body.properties))
    })],
    ['GET', '/crm/v3/objects/{type}/{id}', ({ type, id }, { query }) => {
      const names = [query.associations ?? []].flat().flatMap((names) => names.split(','));
      const linked = (name) => links.filter(({ from, to }) => from === id && records.get(to).type === name).map(({ to }) => ({ id: to, type: name }));
      const associations = Object.fromEntries(names.map((name) => [name, { results: linked(name) }]));
      return { ...shown(found(type, id), [query.properties ?? []].flat().flatMap((names) => names.split(','))), ...(names.length ? { associations } : {}) };
    }],
    ['POST', '/crm/v3/objects/{type}', ({ type }, { body }) => new Answer(shown(add(type, body.properties, body.associations)), { status: 201 })],
    ['PATCH', '/crm/v3/objects/{type}/{id}', ({ type, id }, { body }) => {
      const record = found(type, id);
      Object.assign(record.properties, body.properties);
      record.updatedAt = moment(++number);
      return shown(record);
    }],
    ['DELETE', '/crm/v3/objects/{type}/{id}', ({ type, id }) => {
      found(type, id).archived = true;
      return new Answer(undefined, { status: 204 });
    }],
    ['GET', '/crm/v4/objects/{type}/{id}/associations/{to}', ({ type, id, to: toType }, { query }) => {
      found(type, id);
      const own = links.filter(({ from, to }) => from === id && records.get(to).type === toType);
      return paged(own.map(({ to, typeId }) => ({ toObjectId: to, associationTypes: [{ category: 'HUBSPOT_DEFINED', typeId, label: 'Primary' }] })), query.after, query.limit ?? 500);
    }],
    ['PUT', '/crm/v4/objects/{type}/{id}/associations/default/{toType}/{to}', ({ type, id, toType, to }) => {
      found(type, id);
      found(toType, to);
      links.push({ from: id, to, typeId: 1 });
      const end = { associationTypeId: 1, associationCategory: 'HUBSPOT_DEFINED' };
      return { status: 'COMPLETE', startedAt: moment(), completedAt: moment(), results: [{ from: { id }, to: { id: to }, associationSpec: end }] };
    }],
    ['GET', '/crm/v3/properties/{type}', () => ({
      results: [['firstname', 'First name'], ['email', 'Email'], ['hs_secret', 'Secret']].map(([name, label]) => ({
        name, label, type: 'string', fieldType: 'text', description: '', groupName: 'contactinformation', options: [], hidden: name === 'hs_secret', archived: false
      }))
    })],
    ['GET', '/crm/v3/owners', (_, { query }) => paged(owners.filter(({ email }) => !query.email || email === query.email), query.after, query.limit ?? 100)],
    ['GET', '/crm/v3/pipelines/{type}', () => ({
      results: [{
        id: 'default', label: 'Sales', displayOrder: 0, createdAt: moment(), updatedAt: moment(), archived: false,
        stages: ['Offer', 'Won'].map((label, at) => ({ id: `s${at}`, label, displayOrder: at, metadata: {}, createdAt: moment(), updatedAt: moment(), archived: false }))
      }]
    })]
  ]
};
