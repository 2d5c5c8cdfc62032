// What every JavaScript driver does once it has a client: run the operations of a plan in order, and print one
// line of JSON for each, `{"op", "ok", "detail"}`. The configuration is the first argument, as JSON:
//
//   target   {"url"} or {"command": [program, …]}
//   era      "default", "auto", "modern" or "legacy"
//   ops      the operations to run
//   plan     for each operation, what to call and what to expect
//
// A driver passes a function that connects and returns {revision, listTools, callTool, readResource, complete,
// subscribe, close}; its client's handlers answer with what `answers` says.
const LIMIT = 20_000;

export async function drive(connect) {
  const config = JSON.parse(process.argv[2]);
  const answers = new Answers();
  let client;
  await report('connect', async () => {
    client = await connect(config, answers);
    return client.revision;
  });
  if (client) {
    for (const op of config.ops) {
      await report(op, () => operations[op](client, config.plan, answers));
    }
    await report('close', () => client.close());
  }
  process.exit(0);
}

/** What the user and the model say when they are asked, and what the server announced. */
class Answers {
  elicitation = { action: 'cancel' };
  model = '';
  asked = 0;
  #updates = new Set();

  elicit() {
    this.asked += 1;
    return this.elicitation;
  }

  sample() {
    this.asked += 1;
    return { role: 'assistant', model: 'fixture', content: { type: 'text', text: this.model } };
  }

  updated(uri) {
    this.#updates.add(uri);
  }

  async waitForUpdate(uri, limit) {
    for (const end = Date.now() + limit; Date.now() < end; await pause(20)) {
      if (this.#updates.has(uri)) return true;
    }
    return false;
  }
}

const operations = {
  async list(client, plan) {
    const names = (await client.listTools()).map((tool) => tool.name);
    const missing = plan.list.tools.filter((name) => !names.includes(name));
    if (missing.length) throw new Error(`not listed: ${missing}; listed: ${names}`);
    return `${names.length} tools`;
  },

  async call(client, plan) {
    return expect(await client.callTool(named(plan.call)), plan.call.expect, false);
  },

  async error(client, plan) {
    return expect(await client.callTool(named(plan.error)), plan.error.expect, true);
  },

  async progress(client, plan) {
    const seen = [];
    const options = { onprogress: (progress) => seen.push(progress.progress), resetTimeoutOnProgress: true };
    const said = expect(await client.callTool(named(plan.progress), options), plan.progress.expect, false);
    if (seen.length < plan.progress.atLeast) throw new Error(`only ${seen.length} reports of progress: ${seen}`);
    const falls = seen.filter((value, at) => at > 0 && value <= seen[at - 1]).length;
    if (falls > (plan.progress.restarts ?? 0)) throw new Error(`not increasing: ${seen}`);
    return `${seen.length} reports, ${said}`;
  },

  async cancel(client, plan) {
    const { after, confirm } = plan.cancel;
    const count = async () => expect(await client.callTool(named(confirm)), confirm.expect, false);
    const before = confirm && (await count());
    const stop = new AbortController();
    const begun = Date.now();
    const call = client.callTool(named(plan.cancel), { signal: stop.signal, onprogress: () => stop.abort('enough') });
    setTimeout(() => stop.abort('enough'), after);
    const ended = await call.then((result) => { throw new Error(`it was answered: ${textOf(result)}`); }, String);
    if (confirm) await until(async () => (await count()) !== before, 'the server did not notice');
    return `${ended} after ${Date.now() - begun} ms`;
  },

  elicit_accept: (client, plan, answers) => elicit(client, plan, answers, 'accept'),
  elicit_decline: (client, plan, answers) => elicit(client, plan, answers, 'decline'),
  elicit_cancel: (client, plan, answers) => elicit(client, plan, answers, 'cancel'),

  async sample(client, plan, answers) {
    answers.model = plan.sample.reply;
    answers.asked = 0;
    const said = expect(await client.callTool(named(plan.sample)), plan.sample.expect, false);
    if (answers.asked !== 1) throw new Error(`the model was asked ${answers.asked} times`);
    return said;
  },

  async subscribe(client, plan, answers) {
    const { uri, trigger } = plan.subscribe;
    await client.subscribe(uri);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await client.callTool(named(trigger));
      if (await answers.waitForUpdate(uri, 3000)) return `told after ${attempt} change(s)`;
    }
    throw new Error(`no notification that ${uri} changed`);
  },

  async read(client, plan) {
    const { contents } = await client.readResource(plan.read.uri);
    const text = contents.map((content) => content.text ?? content.blob).join('\n');
    if (!text.includes(plan.read.expect)) throw new Error(`read ${JSON.stringify(text.slice(0, 200))}`);
    return `${text.length} characters`;
  },

  async complete(client, plan) {
    const { prompt, argument, value, expect: wanted } = plan.complete;
    const ref = { type: 'ref/prompt', name: prompt };
    const { completion } = await client.complete({ ref, argument: { name: argument, value } });
    if (JSON.stringify(completion.values) !== JSON.stringify(wanted)) throw new Error(`${completion.values}`);
    return completion.values.join(', ');
  }
};

async function elicit(client, plan, answers, action) {
  answers.elicitation = action === 'accept' ? { action, content: plan.elicit.content } : { action };
  answers.asked = 0;
  const said = expect(await client.callTool(named(plan.elicit)), plan.elicit.expect[action], false);
  if (answers.asked !== 1) throw new Error(`the user was asked ${answers.asked} times`);
  return said;
}

async function report(op, run) {
  let line;
  try {
    const limit = new Promise((_, reject) => setTimeout(() => reject(new Error('no end in sight')), LIMIT));
    line = { op, ok: true, detail: String((await Promise.race([run(), limit])) ?? '') };
  } catch (error) {
    line = { op, ok: false, detail: String(error?.stack ?? error).slice(0, 2000) };
  }
  await new Promise((done) => process.stdout.write(`${JSON.stringify(line)}\n`, done));
}

function named({ tool, arguments: args }) {
  return { name: tool, arguments: args ?? {} };
}

function textOf(result) {
  return (result.content ?? []).map((block) => block.text ?? `[${block.type}]`).join('\n');
}

function expect(result, wanted, isError) {
  const text = textOf(result);
  if (Boolean(result.isError) !== isError) throw new Error(`isError is ${result.isError}: ${text}`);
  if (!text.includes(wanted)) throw new Error(`expected ${JSON.stringify(wanted)} in ${JSON.stringify(text)}`);
  return text.slice(0, 100);
}

async function until(check, otherwise) {
  for (let left = 40; !(await check()); left--) {
    if (left === 0) throw new Error(otherwise);
    await pause(50);
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
