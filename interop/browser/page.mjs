// What is true of every page: it says what it is, it is protected, it fits a telephone, and the keyboard is enough.
import assert from 'node:assert/strict';

const CONTROLS = 'a[href], button, input:not([type=hidden])';

export async function audit(page, response) {
  const headers = response.headers();
  const policy = headers['content-security-policy'] ?? '';
  for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]) {
    assert.ok(policy.includes(rule), `the policy lacks ${rule}: ${policy}`);
  }
  assert.match(headers['referrer-policy'] ?? '', /^(same-origin|no-referrer)$/);
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['cache-control'], 'no-store');
  const shape = await page.evaluate(() => ({
    lang: document.documentElement.lang,
    title: document.title,
    headings: document.querySelectorAll('h1').length,
    width: document.documentElement.scrollWidth,
    window: window.innerWidth
  }));
  assert.equal(shape.lang, 'en');
  assert.ok(shape.title, 'it has no title');
  assert.equal(shape.headings, 1);
  assert.deepEqual([shape.width, shape.window], [360, 360], 'it does not fit a width of 360');
  await keyboard(page);
}

/** Tab reaches every control in order, shows where it is, and each has a name and room for a finger. */
async function keyboard(page) {
  const controls = await page.locator(CONTROLS).all();
  for (const control of controls) {
    const found = await control.evaluate((element) => {
      const { width, height } = element.getBoundingClientRect();
      return { name: element.ariaLabel || element.textContent.trim(), width, height };
    });
    assert.ok(found.name, 'a control has no name');
    assert.ok(found.width >= 24 && found.height >= 24, `${found.name} is too small: ${found.width}×${found.height}`);
  }
  await page.evaluate(() => document.activeElement.blur());
  const reached = new Set();
  for (let presses = 0; presses < 2 * controls.length && reached.size < controls.length; presses += 1) {
    await page.keyboard.press('Tab');
    const at = await focus(page);
    if (at.index < 0) continue;
    reached.add(at.index);
    assert.notEqual(at.outline, 'none', 'where the keyboard is cannot be seen');
  }
  assert.equal(reached.size, controls.length, 'the keyboard does not reach every control');
}

/** Presses a button by the keyboard alone, and waits for what comes of it. */
export async function press(page, name) {
  await page.waitForLoadState();
  for (let presses = 0; presses < 10; presses += 1) {
    const at = await focus(page);
    if (at.index >= 0 && at.name === name) {
      const navigated = page.waitForEvent('framenavigated');
      await page.keyboard.press('Enter');
      await navigated;
      return page.waitForLoadState();
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`the keyboard does not reach the button "${name}"`);
}

function focus(page) {
  return page.evaluate((controls) => {
    const element = document.activeElement;
    const index = [...document.querySelectorAll(controls)].indexOf(element);
    return { index, name: element.textContent.trim(), outline: getComputedStyle(element).outlineStyle };
  }, CONTROLS);
}
