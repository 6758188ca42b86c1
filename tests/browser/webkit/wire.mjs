// A forward proxy between WebKit and the network. The wire does what the debuggers of other browsers do for the tests: it
// runs scripts before a page's own scripts, reports every request, and allows or blocks each request.

import { request } from 'node:http';
import { finished } from 'node:stream';
import { listen } from '../tap.mjs';
import { LAST_WORDS, applied, prelude } from './prelude.mjs';

const SCRIPT = '/.duet-tests/prelude.js';

/**
 * Inserts the script so that the parser runs it before everything else. The page's policy allows the script, because it
 * comes from the page's own site.
 */
const withPrelude = (html, number) => {
  const tag = `<script src="${SCRIPT}?${number}"></script>`;
  const [doctype = ''] = /^\s*<!doctype[^>]*>/i.exec(html) ?? [];
  return doctype + tag + html.slice(doctype.length);
};

async function text(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** Sends a request on to its destination, and returns the answer. If the answer is a page, `edit` can change it. */
function handOn(incoming, outgoing, url, { edit, userAgent }) {
  const headers = { ...incoming.headers, ...(userAgent && { 'user-agent': userAgent }) };
  delete headers['proxy-connection'];
  if (edit) delete headers['accept-encoding'];
  // Every host that the pages name is this machine.
  const onward = request({ host: '127.0.0.1', port: url.port || 80, method: incoming.method, path: url.pathname + url.search, headers, agent: false });
  const broken = () => {
    onward.destroy();
    incoming.socket.destroy();
  };
  onward.on('error', broken);
  onward.on('response', async (answer) => {
    answer.on('error', broken);
    if (!edit || !/^text\/html/.test(answer.headers['content-type'])) {
      outgoing.writeHead(answer.statusCode, answer.headers);
      return answer.pipe(outgoing);
    }
    const page = Buffer.from(edit((await text(answer)).toString()));
    const rest = { ...answer.headers, 'content-length': page.length };
    delete rest['transfer-encoding'];
    return outgoing.writeHead(answer.statusCode, rest).end(page);
  });
  finished(outgoing, () => onward.destroy());
  incoming.on('error', broken);
  incoming.pipe(onward);
}

/**
 * Opens a wire, the forward proxy of one visitor. `scripts()` returns the scripts for the document that is requested now.
 * `meets(url)` returns whether a request is allowed. `hears` gets the page's output that came too late for polling.
 * `userAgent` replaces WebKit's own user agent here and not in WebKit, because WebKit accepts no user agent with square
 * brackets, such as Facebook's.
 */
export async function openWire({ scripts, meets, hears, userAgent }) {
  const preludes = [];
  const disguise = userAgent ? [applied((userAgent) => Object.defineProperty(navigator, 'userAgent', { value: userAgent }), [userAgent])] : [];
  const server = await listen(async (incoming, outgoing) => {
    const url = new URL(incoming.url, LAST_WORDS);
    if (url.href === LAST_WORDS) {
      hears(JSON.parse((await text(incoming)).toString()));
      return outgoing.end();
    }
    if (url.pathname === SCRIPT) {
      outgoing.writeHead(200, { 'content-type': 'text/javascript' });
      return outgoing.end(preludes[url.search.slice(1)]);
    }
    const isPage = ['document', 'iframe'].includes(incoming.headers['sec-fetch-dest']);
    const edit = isPage && ((html) => withPrelude(html, preludes.push(prelude([...disguise, ...scripts()])) - 1));
    if (!(await meets(url.href))) return incoming.socket.destroy();
    return handOn(incoming, outgoing, url, { edit, userAgent });
  });
  return { address: `http://127.0.0.1:${server.port}`, stop: server.stop };
}
