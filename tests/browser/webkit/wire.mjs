// What lies between a WebKit and the network: a forward proxy. It gives the tests what other browsers' debuggers give them:
// scripts that run before a page's own, word of every request, and a say in whether it is made.

import { request } from 'node:http';
import { finished } from 'node:stream';
import { listen } from '../tap.mjs';
import { LAST_WORDS, applied, prelude } from './prelude.mjs';

const SCRIPT = '/.duet-tests/prelude.js';

/** Parser-inserted and ahead of everything else; a page's policy lets in what comes from its own site. */
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

/** Sends a request on to where it was going, and the answer back; `edit` may rewrite a page. */
function handOn(incoming, outgoing, url, { edit, userAgent }) {
  const headers = { ...incoming.headers, ...(userAgent && { 'user-agent': userAgent }) };
  delete headers['proxy-connection'];
  if (edit) delete headers['accept-encoding'];
  // Every name that pages use is one of this machine.
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
 * Opens a wire. `scripts()` are to run in the document that is asked for now; `meets(url)` is whether a request may be made; `hears`
 * gets what a page said too late to be asked. `userAgent` replaces WebKit's own, since it takes none with brackets in it, as
 * Facebook's has.
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
