// The parts of Stripe that the emulator does not have: searches, the balance, invoices, subscriptions, disputes, refunds
// and payment links. Bodies are forms, whose nested members have brackets.
import { Refusal, bearer, page } from '../fake-server.mjs';

const refusal = (status, type, message, headers) => new Refusal(status, { error: { type, message, code: status === 404 ? 'resource_missing' : undefined } }, headers);
const created = 1767323045;
const records = new Map();
let number = 0;

function add(prefix, object, members) {
  const id = `${prefix}_${++number}`;
  records.set(id, { id, object, created: created + number, livemode: false, ...members });
  return records.get(id);
}
const customers = ['Ada', 'Grace', 'Mary'].map((name) => add('cus', 'customer', { name, email: `${name.toLowerCase()}@acme.example`, metadata: {} }));
const price = add('price', 'price', { unit_amount: 1000, currency: 'usd', product: 'prod_1' });
const payments = customers.map(({ id }, at) => add('pi', 'payment_intent', { amount: 1000 * (at + 1), amount_received: 1000 * (at + 1), currency: 'usd', status: 'succeeded', customer: id, metadata: {}, last_payment_error: null }));
customers.forEach(({ id }) => add('sub', 'subscription', {
  customer: id, status: 'active', current_period_start: created, current_period_end: created + 86400, cancel_at_period_end: false, cancel_at: null, canceled_at: null,
  items: { object: 'list', data: [{ id: 'si_1', quantity: 2, price: { ...price, recurring: { interval: 'month' } } }], has_more: false }
}));
add('dp', 'dispute', { amount: 1000, currency: 'usd', reason: 'fraudulent', status: 'needs_response', payment_intent: payments[0].id, charge: 'ch_1', evidence_details: { due_by: created } });
let items = [];

function found(id, object) {
  const record = records.get(id);
  if (record?.object !== object) throw refusal(404, 'invalid_request_error', `No such ${object}: '${id}'`);
  return record;
}
const of = (object) => [...records.values()].filter((record) => record.object === object).reverse();

function list(all, query) {
  const start = query.starting_after ? all.findIndex(({ id }) => id === query.starting_after) + 1 : 0;
  const { items: data, next } = page(all, start, Number(query.limit ?? 10));
  return { object: 'list', url: '/v1', data, has_more: next !== null };
}

/** A search takes `name:'value'` and `amount>value`, joined with AND. */
function search(object, query) {
  const tests = query.query.split(' AND ').map((part) => /^(\w+)([:>])'?([^']*)'?$/.exec(part));
  if (tests.includes(null)) throw refusal(400, 'invalid_request_error', 'We were unable to parse your search query.');
  const all = of(object).filter((record) => tests.every(([, name, operator, value]) => (operator === ':' ? String(record[name]) === value : record[name] > Number(value))));
  const { items: data, next } = page(all, Number(query.page ?? 0), Number(query.limit ?? 10));
  return { object: 'search_result', url: '/v1', data, has_more: next !== null, next_page: next === null ? null : String(next) };
}

export const vendor = {
  credential: 'rk_test_mock',
  credentialOf: bearer,
  lost: () => refusal(401, 'invalid_request_error', 'Invalid API Key provided: rk_test_****'),
  limited: (seconds) => refusal(429, 'invalid_request_error', 'Request rate limit exceeded.', { 'retry-after': String(seconds) }),
  missing: (path) => refusal(404, 'invalid_request_error', `Unrecognized request URL (${path}).`),
  routes: [
    ['GET', '/v1/balance', () => ({ object: 'balance', livemode: false, available: [{ amount: 500, currency: 'usd', source_types: {} }], pending: [] })],
    ['GET', '/v1/customers/search', (_, { query }) => search('customer', query)],
    ['GET', '/v1/payment_intents/search', (_, { query }) => search('payment_intent', query)],
    ['GET', '/v1/invoices/search', (_, { query }) => search('invoice', query)],
    ['GET', '/v1/subscriptions', (_, { query }) => list(of('subscription').filter(({ customer }) => !query.customer || customer === query.customer), query)],
    ['DELETE', '/v1/subscriptions/{id}', ({ id }) => Object.assign(found(id, 'subscription'), { status: 'canceled', canceled_at: created })],
    ['GET', '/v1/disputes', (_, { query }) => list(of('dispute'), query)],
    ['POST', '/v1/invoiceitems', (_, { body }) => {
      const { id } = found(body.customer, 'customer');
      const unit = body.price ? found(body.price, 'price').unit_amount : Number(body.amount);
      const item = add('ii', 'invoiceitem', { customer: id, amount: unit * Number(body.quantity ?? 1), currency: 'usd', quantity: Number(body.quantity ?? 1), description: body.description ?? null });
      items.push(item);
      return item;
    }],
    ['POST', '/v1/invoices', (_, { body }) => {
      if (body.pending_invoice_items_behavior !== 'include' || body.auto_advance !== 'false') throw refusal(400, 'invalid_request_error', 'The draft would not stay a draft.');
      const own = items.filter(({ customer }) => customer === body.customer);
      items = items.filter((item) => !own.includes(item));
      const total = own.reduce((sum, { amount }) => sum + amount, 0);
      return add('in', 'invoice', {
        customer: found(body.customer, 'customer').id, status: 'draft', total, amount_due: total, amount_paid: 0, amount_remaining: total, currency: 'usd', number: null,
        due_date: created + 86400 * Number(body.days_until_due ?? 0), hosted_invoice_url: null, invoice_pdf: null
      });
    }],
    ['POST', '/v1/invoices/{id}/finalize', ({ id }) => Object.assign(found(id, 'invoice'), { status: 'open', number: `A-${id}`, hosted_invoice_url: `https://invoice.stripe.com/${id}`, invoice_pdf: `https://invoice.stripe.com/${id}.pdf` })],
    ['POST', '/v1/payment_links', (_, { body }) => {
      found(body['line_items[0][price]'], 'price');
      return add('plink', 'payment_link', { active: true, url: 'https://buy.stripe.com/test_1', quantity: Number(body['line_items[0][quantity]']) });
    }],
    ['POST', '/v1/refunds', (_, { body }) => {
      const payment = found(body.payment_intent, 'payment_intent');
      const amount = Number(body.amount ?? payment.amount);
      if (amount > payment.amount) throw refusal(400, 'invalid_request_error', 'Refund amount is greater than unrefunded amount on charge');
      payment.amount -= amount;
      return add('re', 'refund', { status: 'succeeded', amount, currency: payment.currency, reason: body.reason ?? null, payment_intent: payment.id });
    }]
  ]
};
