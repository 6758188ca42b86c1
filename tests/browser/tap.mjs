// A tap in a wire: an HTTP server that hands every request on unchanged and remembers it. What a page sent is
// read here and not in the browser, so that every browser is judged by the same ear.

import { createServer, request } from 'node:http';
import { once } from 'node:events';

/** One request as it came: method, path, headers, body text; and the status and headers it was answered with. */
function remember(log, incoming, body) {
  const entry = {
    method: incoming.method,
    path: incoming.url,
    headers: incoming.headers,
    body: body.toString(),
    status: null,
    answer: null,
    get json() {
      return JSON.parse(this.body);
    },
  };
  log.push(entry);
  return entry;
}

/**
 * Passes one request on to `port` on loopback, with its own Host header, and writes it to `log`. `more` has headers
 * to add, and a path to ask for instead.
 */
export async function pass(incoming, outgoing, port, log, more = {}) {
  const chunks = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk);
  } catch {
    // The page was closed in the middle of its request: there is nothing to pass on.
    return;
  }
  const body = Buffer.concat(chunks);
  const entry = remember(log, incoming, body);
  const { method } = incoming;
  const path = more.path ?? incoming.url;
  const headers = { ...incoming.headers, ...more.headers };
  const onward = request({ host: '127.0.0.1', port, method, path, headers }, async (answer) => {
    const parts = [];
    for await (const part of answer) parts.push(part);
    const whole = Buffer.concat(parts);
    entry.status = answer.statusCode;
    entry.answer = { headers: answer.headers, body: whole.toString() };
    outgoing.writeHead(answer.statusCode, answer.headers);
    outgoing.end(whole);
  });
  onward.on('error', () => {
    entry.status = 502;
    outgoing.writeHead(502).end();
  });
  onward.end(body);
}

/** Listens on a free port of loopback, or on `port`. */
export async function listen(handler, port = 0) {
  const server = createServer(handler).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A tap before `port`. */
export async function tap(port) {
  const log = [];
  const server = await listen((incoming, outgoing) => pass(incoming, outgoing, port, log));
  return { ...server, log };
}
