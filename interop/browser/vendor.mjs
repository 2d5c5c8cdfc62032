// A person gives the hub their own access to a vendor: the hub sends them there and back, and acts for them after
// that, and for nobody else.
import assert from 'node:assert/strict';
import { audit, press } from './page.mjs';
import { signedIn } from './programs.mjs';

const STEPS = [
  ['a call for somebody who has not signed in there says where to', async (walk) => {
    const { client } = await signedIn(walk.server.url, (page) => walk.person.allow(page), walk.ends);
    walk.call = async () => {
      const { content, isError } = await client.callTool({ name: walk.tool, arguments: walk.arguments });
      return { text: content.map((block) => block.text).join('\n'), isError };
    };
    const { text, isError } = await walk.call();
    walk.link = text.match(/http:\/\/\S+\/connect\/vendor\?invitation=[\w-]+/)?.[0];
    assert.ok(isError && walk.link, text);
  }],
  ['the link is of no use to somebody who is not signed in', async (walk) => {
    const other = await walk.person.visitor();
    const page = await walk.person.page(other);
    await page.goto(walk.link);
    assert.doesNotMatch(await page.textContent('body'), /in your name/);
    await other.close();
  }],
  ['the page says who wants what, in whose name', async (walk) => {
    walk.page = await walk.person.page();
    walk.page.on('response', (response) => (walk.response = response));
    await walk.page.goto(walk.link);
    assert.match(await walk.page.textContent('body'), /Loggia wants to use vendor in your name/);
  }],
  ['that page is well made', (walk) => audit(walk.page, walk.response)],
  ['it leads to the vendor, who asks who that is', async (walk) => {
    await press(walk.page, 'Go on');
    assert.equal(new URL(walk.page.url()).origin, walk.vendor.origin);
    await walk.page.goto(await walk.vendor.link());
    await press(walk.page, 'Sign in');
    assert.match(await walk.page.textContent('body'), /Loggia wants to use .* in your name/);
  }],
  ['and back, once it is allowed', async (walk) => {
    await press(walk.page, 'Allow');
    assert.equal(new URL(walk.page.url()).origin, walk.server.origin);
    assert.match(await walk.page.textContent('body'), /Loggia can use vendor in your name now/);
    await audit(walk.page, walk.response);
  }],
  ['the call goes through', async (walk) => {
    const { text, isError } = await walk.call();
    assert.ok(!isError && text.includes(walk.expect), text);
  }],
  ['the link counts once', async (walk) => {
    await walk.page.goto(walk.link);
    assert.match(await walk.page.textContent('body'), /This link does not count/);
  }],
  ['the person is still signed in at the hub', async (walk) => {
    const names = (await walk.person.context.cookies()).map((cookie) => cookie.name);
    assert.equal(names.filter((name) => name.endsWith('session')).length, 2, `${names}`);
  }]
];

export async function ownCredentials(report, person, server, vendor, { call }) {
  const walk = { person, server, vendor, ends: [], arguments: call.arguments, expect: call.expect };
  walk.tool = `vendor_${call.tool}`;
  for (const [op, step] of STEPS) await report(op, () => step(walk));
  await Promise.allSettled(walk.ends.map((end) => end()));
}
