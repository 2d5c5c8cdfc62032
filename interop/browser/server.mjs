// The protected server: a child process that prints a link when somebody wants to sign in.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { within } from './callback.mjs';

export class Server {
  #child;
  #links = [];
  #waiting = [];

  constructor({ command, url }) {
    this.url = new URL(url);
    this.origin = this.url.origin;
    this.#child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const link = line.match(/Sign in at (\S+)/)?.[1];
      if (!link) return;
      this.links += 1;
      const waiting = this.#waiting.shift();
      if (waiting) waiting(link);
      else this.#links.push(link);
    });
  }

  /** How many links it has shown. */
  links = 0;

  /** The link that it shows next, or has shown since it was asked last. */
  link() {
    const shown = this.#links.pop();
    this.#links.length = 0;
    return within('a link to sign in with', shown ?? new Promise((done) => this.#waiting.push(done)));
  }

  async ready() {
    for (const end = Date.now() + 20_000; Date.now() < end; await new Promise((done) => setTimeout(done, 50))) {
      if (this.#child.exitCode !== null) throw new Error(`it ended with ${this.#child.exitCode}`);
      const answer = await fetch(this.url, { method: 'POST' }).catch(() => undefined);
      if (answer?.status === 401) return answer.headers.get('www-authenticate');
    }
    throw new Error(`nothing at ${this.url} asks for a sign-in`);
  }

  close() {
    this.#child.kill();
  }
}
