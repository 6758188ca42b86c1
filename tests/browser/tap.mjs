// A tap: an HTTP server that passes every request on unchanged and records it. The tests read the requests from the tap and
// not from the browser, so every browser is checked in the same way.

import { createServer, request } from 'node:http';
import { once } from 'node:events';

/** Records one request: method, path, headers and body text, and the status and headers of its answer. */
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
 * Passes one request on to `port` on loopback, with the request's own Host header, and records it in `log`. `more` can
 * contain additional headers and another path.
 */
export async function pass(incoming, outgoing, port, log, more = {}) {
  const chunks = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk);
  } catch {
    // The page was closed during its request, so there is nothing to pass on.
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

/** Listens on `port` of loopback, or on a free port if `port` is 0. */
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

/** Starts a tap in front of the server at `port`. */
export async function tap(port) {
  const log = [];
  const server = await listen((incoming, outgoing) => pass(incoming, outgoing, port, log));
  return { ...server, log };
}
