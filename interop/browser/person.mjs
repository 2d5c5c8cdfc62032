// A person who signs in and allows what a program asks for: with Chromium, or, where there is none, by the
// requests that a browser would make.
import { chromium } from 'playwright-core';

const NARROW = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };
const LIMIT = 10_000;

export class Chromium {
  #browser;
  #complaints = [];

  static async launch(executablePath, server) {
    const person = new Chromium();
    person.server = server;
    person.#browser = await chromium.launch({ executablePath });
    person.context = await person.visitor();
    return person;
  }

  /** A browser of somebody else, narrow as a telephone, who is not signed in. */
  async visitor() {
    const context = await this.#browser.newContext(NARROW);
    context.setDefaultTimeout(LIMIT);
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (violation) => {
        console.error(`${violation.violatedDirective} forbids ${violation.blockedURI}`);
      });
    });
    return context;
  }

  /** A page that notes what the browser complains of while it shows ours, unless that is `expected`. */
  async page(context = this.context, expected = () => false) {
    const page = await context.newPage();
    const note = (text, url) => {
      if (url.startsWith(this.server.origin) && !expected(text)) this.#complaints.push(`${url}: ${text}`);
    };
    page.on('pageerror', (error) => note(String(error), page.url()));
    page.on('console', (message) => {
      // A page that refuses something has a status that says so.
      const refusal = message.text().startsWith('Failed to load resource') && message.location().url === page.url();
      if (['error', 'warning'].includes(message.type()) && !refusal) note(message.text(), page.url());
    });
    return page;
  }

  complaints() {
    if (this.#complaints.length) throw new Error(this.#complaints.join('\n'));
  }

  async allow(url) {
    const page = await this.page();
    await page.goto(url);
    if ((await page.getByLabel('Code').count()) > 0) {
      await page.goto(await this.server.link());
      await page.getByRole('button', { name: 'Sign in' }).click();
    }
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    await page.waitForURL((url) => url.origin !== this.server.origin);
    await page.close();
  }

  close() {
    return this.#browser.close();
  }
}

export class Requests {
  #cookies = new Map();

  constructor(server) {
    this.server = server;
  }

  async allow(url) {
    let page = await this.#open(url);
    if (!page.fields.ticket) {
      page = await this.#open(await this.server.link());
      page = await this.#open(page.action, page.fields);
    }
    await this.#open(page.action, { ...page.fields, decision: 'allow' });
  }

  /** Opens a page, or sends a form, and follows redirects. */
  async #open(url, form) {
    let body = form && new URLSearchParams(form);
    for (let steps = 0; steps < 10; steps += 1) {
      const ours = new URL(url).origin === this.server.origin;
      const cookie = ours ? [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') : '';
      const headers = { cookie, ...(body && { origin: this.server.origin }) };
      const response = await fetch(url, { method: body ? 'POST' : 'GET', body, headers, redirect: 'manual' });
      for (const set of response.headers.getSetCookie()) {
        const [name, value] = set.split(';')[0].split(/=(.*)/s);
        this.#cookies.set(name, value);
      }
      const location = response.headers.get('location');
      if (!location) return read(await response.text(), url);
      [url, body] = [new URL(location, url).href, undefined];
    }
    throw new Error('there are too many redirects');
  }

  close() {}
}

/** The form of a page of ours. */
function read(text, url) {
  const action = text.match(/action="([^"]*)"/)?.[1];
  const fields = [...text.matchAll(/type="hidden" name="([^"]*)" value="([^"]*)"/g)];
  return { action: action && new URL(action, url).href, fields: Object.fromEntries(fields.map((m) => m.slice(1))) };
}
