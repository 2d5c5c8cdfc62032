// A browser walks through sign-in and consent, narrow as a telephone and by keyboard alone: every step is a check
// of its own, and they are taken in this order.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Callback } from './callback.mjs';
import { audit, press } from './page.mjs';

const STEPS = [
  ['two programs register', async (walk) => {
    walk.first = await register(walk, 'A first program');
    walk.second = await register(walk, `<i>Bank</i>\u202eknab ${'x'.repeat(120)}`);
  }],
  ['somebody who is not signed in is asked for the link', async (walk) => {
    walk.flow = flow(walk, walk.first);
    await walk.open(walk.flow.page);
    await walk.says('Sign in', /Open that link in this browser, or enter the code/);
  }],
  ['that page is well made', (walk) => audit(walk.page, walk.response)],
  ['a wrong code is refused, and can be entered again', async (walk) => {
    await walk.page.getByLabel('Code').fill('not-the-code');
    await walk.press('Sign in');
    await walk.says('Sign in', /That code does not count/);
    assert.equal(walk.response.status(), 403);
  }],
  ['the link asks before it signs in', async (walk) => {
    walk.link = await walk.server.link();
    await walk.open(walk.link);
    await walk.says('Sign in', /Sign in to Loggia in this browser\?/);
    assert.equal((await walk.context.cookies()).length, 0, 'opening the link signed in');
  }],
  ['that page is well made', (walk) => audit(walk.page, walk.response)],
  ['a press signs in, and leads to the question of the program', async (walk) => {
    await walk.press('Sign in');
    await walk.says('Allow this?', /A first program wants to use/);
  }],
  ['the session is a cookie that no script and no other site gets', async (walk) => {
    const [cookie, ...others] = await walk.context.cookies();
    assert.equal(others.length, 0);
    assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, 'Lax', '/']);
    assert.equal(cookie.domain, walk.server.url.hostname);
  }],
  ['the question names the resource, where one is sent, and that nobody vouches', (walk) => walk.says('Allow this?',
    new RegExp(walk.server.url.href), new RegExp(`sent to ${new URL(walk.callback.origin).host}`), /this name is not verified/,
    /a program on this computer/, /You are signed in as \S+\./)],
  ['that page is well made', (walk) => audit(walk.page, walk.response)],
  ['"Allow" leads back with a code, the state and the issuer', async (walk) => {
    await walk.press('Allow');
    const { params, headers } = await walk.callback.next();
    assert.equal(params.get('state'), walk.flow.state);
    assert.equal(params.get('iss'), walk.metadata.issuer);
    assert.equal(headers.referer, undefined, 'the callback is told where the person was');
    walk.code = params.get('code');
  }],
  ['the code is worth a token, once', async (walk) => {
    const [good, again] = [await redeem(walk, walk.first), await redeem(walk, walk.first)];
    assert.equal(good.status, 200);
    assert.deepEqual([again.status, (await again.json()).error], [400, 'invalid_grant']);
  }],
  ['"Do not allow" leads back with access_denied', async (walk) => {
    walk.flow = flow(walk, walk.first);
    await walk.open(walk.flow.page);
    await walk.says('Allow this?', /A first program/);
    await walk.press('Do not allow');
    const { params } = await walk.callback.next();
    const answer = ['error', 'state', 'iss', 'code'].map((name) => params.get(name));
    assert.deepEqual(answer, ['access_denied', walk.flow.state, walk.metadata.issuer, null]);
  }],
  ['a second program needs no sign-in, and is asked about', async (walk) => {
    const links = walk.server.links;
    walk.flow = flow(walk, walk.second);
    await walk.open(walk.flow.page);
    await walk.says('Allow this?', /<i>Bank<\/i>knab x+ wants to use/);
    assert.equal(walk.server.links, links, 'another link was shown');
  }],
  ['that page is well made, whatever the program calls itself', (walk) => audit(walk.page, walk.response)],
  ['it cannot be put into another page', async (walk) => {
    walk.callback.pages.set('/frame', `<iframe src="${escape(walk.flow.page)}"></iframe>`);
    const page = await walk.person.page(walk.context, (text) => text.includes('frame-ancestors'));
    await page.goto(`${walk.callback.origin}/frame`);
    assert.match(page.frames()[1].url(), /^chrome-error:/);
    await page.close();
  }],
  ['another site cannot answer the question', async (walk) => {
    const fields = ['request', 'ticket'].map((name) => walk.page.locator(`input[name=${name}]`).inputValue());
    const [request, ticket] = await Promise.all(fields);
    const field = (name, value) => `<input type="hidden" name="${name}" value="${value}">`;
    const action = `${walk.server.origin}/oauth/consent`;
    walk.callback.pages.set('/post', `<form method="post" action="${action}">${field('request', request)}` +
      `${field('ticket', ticket)}${field('decision', 'allow')}<button>Win</button></form>`);
    const page = await walk.person.page();
    await page.goto(`${walk.callback.origin}/post`);
    await press(page, 'Win');
    assert.match(await page.textContent('body'), /did not come from the page that was shown to you/);
    await page.close();
  }],
  ['it is allowed', async (walk) => {
    walk.request = await walk.page.locator('input[name=request]').inputValue();
    await walk.press('Allow');
    walk.code = (await walk.callback.next()).params.get('code');
    assert.equal((await redeem(walk, walk.second)).status, 200);
  }],
  ['a question that was answered is not asked again', async (walk) => {
    await walk.open(`${walk.server.origin}/oauth/continue?request=${walk.request}`);
    await walk.says('This took too long', /finished in another window. Start again in the program/);
  }],
  ['a link that was used signs nobody in', async (walk) => {
    const other = await walk.person.visitor();
    const page = await walk.person.page(other);
    await page.goto(walk.link);
    await press(page, 'Sign in');
    assert.match(await page.textContent('body'), /does not count any more/);
    assert.equal((await other.cookies()).length, 0);
    await other.close();
  }],
  ...[
    ['a request that is not known', '/oauth/continue?request=unknown', /Start again in the program you came from/],
    ['a program that is not known', '/oauth/authorize?client_id=unknown&response_type=code', /client/],
    ['a program that does not say which it is', '/oauth/authorize', /did not say which it is/]
  ].map(([what, path, text]) => [`${what} gets a page that says what to do`, async (walk) => {
    await walk.open(`${walk.server.origin}${path}`);
    assert.equal(walk.response.status(), 400);
    assert.match(await walk.page.textContent('body'), text);
    await audit(walk.page, walk.response);
  }]),
  ['an address that is not registered is not gone to', async (walk) => {
    const { page } = flow(walk, walk.first, { redirect_uri: `${walk.callback.origin}/elsewhere` });
    await walk.open(page);
    await walk.says('This cannot be done', /an address that it has not registered/);
    assert.equal(new URL(walk.page.url()).origin, walk.server.origin);
  }],
  ['a request without PKCE goes back to its program', async (walk) => {
    const { page } = flow(walk, walk.first, { code_challenge: '' });
    await walk.page.goto(page);
    assert.equal((await walk.callback.next()).params.get('error'), 'invalid_request');
  }]
];

export async function walk(report, person, server) {
  const walk = new Walk(person, server);
  await walk.begin();
  for (const [op, step] of STEPS) await report(op, () => step(walk));
  await walk.page.close();
  walk.callback.close();
}

class Walk {
  constructor(person, server) {
    Object.assign(this, { person, server, context: person.context });
  }

  async begin() {
    this.callback = await Callback.open();
    this.metadata = await (await fetch(`${this.server.origin}/.well-known/oauth-authorization-server`)).json();
    this.page = await this.person.page();
    this.page.on('response', (response) => {
      if (response.request().isNavigationRequest() && response.status() !== 303) this.response = response;
    });
  }

  async open(url) {
    await this.page.goto(url);
  }

  press(name) {
    return press(this.page, name);
  }

  /** Holds the page against its heading and what it must say. */
  async says(heading, ...texts) {
    assert.equal(await this.page.getByRole('heading').textContent(), heading);
    const body = await this.page.textContent('body');
    for (const text of texts) assert.match(body, text);
  }
}

async function register({ metadata, callback }, name) {
  const body = JSON.stringify({
    client_name: name, redirect_uris: [callback.url], token_endpoint_auth_method: 'none', application_type: 'native'
  });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(metadata.registration_endpoint, { method: 'POST', headers, body });
  assert.equal(answer.status, 201);
  return (await answer.json()).client_id;
}

/** What a program begins with. */
function flow(walk, client, changes = {}) {
  walk.verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(12).toString('base64url');
  const challenge = createHash('sha256').update(walk.verifier).digest('base64url');
  const page = new URL(walk.metadata.authorization_endpoint);
  page.search = new URLSearchParams({
    response_type: 'code', client_id: client, redirect_uri: walk.callback.url, state, code_challenge: challenge,
    code_challenge_method: 'S256', resource: walk.server.url.href, ...changes
  });
  return { state, page: page.href };
}

function redeem({ metadata, code, verifier, callback }, client) {
  const body = new URLSearchParams({
    grant_type: 'authorization_code', client_id: client, code, code_verifier: verifier, redirect_uri: callback.url
  });
  return fetch(metadata.token_endpoint, { method: 'POST', body });
}

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
