// Where a browser is sent at the end: a listener on the loopback, as clients have one.
import http from 'node:http';

const LIMIT = 15_000;

/** `promise`, or an error that says what did not come. */
export function within(what, promise, limit = LIMIT) {
  let timer;
  const over = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what} did not come within ${limit / 1000} s`)), limit);
  });
  return Promise.race([promise, over]).finally(() => clearTimeout(timer));
}

export class Callback {
  #server;
  #answers = [];
  #waiting = [];
  /** Other pages that it serves, by path. */
  pages = new Map();

  static async open() {
    const callback = new Callback();
    callback.#server = http.createServer((request, response) => callback.#serve(request, response));
    await new Promise((done) => callback.#server.listen(0, '127.0.0.1', done));
    callback.origin = `http://127.0.0.1:${callback.#server.address().port}`;
    callback.url = `${callback.origin}/callback`;
    return callback;
  }

  #serve(request, response) {
    const url = new URL(request.url, this.origin);
    const page = this.pages.get(url.pathname);
    if (url.pathname === '/callback') {
      const answer = { params: url.searchParams, headers: request.headers };
      const waiting = this.#waiting.shift();
      if (waiting) waiting(answer);
      else this.#answers.push(answer);
    } else if (!page) {
      response.writeHead(404).end();
      return;
    }
    const icon = '<link rel="icon" href="data:,">';
    response.writeHead(200, { 'content-type': 'text/html' }).end(`${icon}${page ?? '<h1>You can close this page</h1>'}`);
  }

  /** What the browser brings next: `{params, headers}`. */
  next() {
    return within('an answer', this.#answers.shift() ?? new Promise((done) => this.#waiting.push(done)));
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
