// The web server of the tested pages. It serves the shop, the fixture pages and the SDK package. Like a shop's web server,
// it also passes the proxy's routes on, under the site's own address.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { listen, pass } from './tap.mjs';

const root = resolve(import.meta.dirname, '../..');
/** The folder with the unpacked npm package. */
export const sdkPackage = resolve(process.env.DUET_SDK ?? join(root, 'target/npm/duet-sdk'));

const folders = [
  ['/duet-sdk/', sdkPackage],
  ['/pages/', join(import.meta.dirname, 'pages')],
  ['/', join(root, 'www-demo')],
];
const types = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

async function fileAt(pathname) {
  const [prefix, folder] = folders.find(([prefix]) => pathname.startsWith(prefix));
  const path = join(folder, pathname.slice(prefix.length) || 'index.html');
  return { type: types[extname(path)] ?? 'application/octet-stream', content: await readFile(path) };
}

/**
 * Builds the strictest policy with which the pages can work. The policy allows the pages' own files, their one import map,
 * and the named hosts. With `?wasm=no` a page cannot run WebAssembly. With `?nonce=…` scripts from other hosts need the
 * nonce. `?types=…` requires trusted types with policies of that name. `?base=any` allows a `<base>`.
 */
function policy(html, hosts, query) {
  const [, importMap] = /<script type="importmap">(.*?)<\/script>/s.exec(html) ?? [];
  const hash = importMap ? `'sha256-${createHash('sha256').update(importMap).digest('base64')}'` : '';
  const nonce = query.get('nonce');
  const types = query.get('types');
  return [
    "default-src 'none'",
    `script-src 'self' ${query.get('wasm') === 'no' ? '' : "'wasm-unsafe-eval'"} ${hash} ${nonce ? `'nonce-${nonce}'` : hosts.script}`,
    `connect-src 'self' ${hosts.connect}`,
    "style-src 'self'",
    'img-src data:',
    ...(query.get('base') === 'any' ? [] : ["base-uri 'none'"]),
    "form-action 'none'",
    ...(types ? ["require-trusted-types-for 'script'", `trusted-types ${types}`] : []),
  ].join('; ');
}

/** The visitors' address that the web server states. The proxy trusts this address only if a setting allows it. */
export const visitorAddress = '203.0.113.7';

/**
 * Serves the site on a free port. `log` contains the requests of pages to the proxy, in the format of `pass`. Like
 * `duet-proxy dev`, the site also registers orders with the `serverKey`.
 */
export async function serveSite({ proxyPort, settings, hosts, serverKey }) {
  if (!existsSync(join(sdkPackage, 'index.js'))) throw new Error(`${sdkPackage} does not have the SDK package; build it with cargo xtask sdk`);
  const log = [];
  const server = await listen(async (incoming, outgoing) => {
    const { pathname, searchParams } = new URL(incoming.url, 'http://site');
    if (pathname.startsWith('/api/')) {
      return pass(incoming, outgoing, proxyPort, log, { headers: { 'x-forwarded-for': visitorAddress } });
    }
    if (pathname === '/duet-dev/orders') {
      const headers = { authorization: `Bearer ${serverKey}` };
      return pass(incoming, outgoing, proxyPort, log, { path: '/api/orders', headers });
    }
    if (pathname === '/duet-dev.json') {
      outgoing.writeHead(200, { 'content-type': types['.json'] });
      return outgoing.end(JSON.stringify(settings));
    }
    try {
      const { type, content } = await fileAt(pathname);
      const headers = { 'content-type': type };
      if (type === types['.html']) headers['content-security-policy'] = policy(content.toString(), hosts, searchParams);
      if (searchParams.get('referrer') === 'no') headers['referrer-policy'] = 'no-referrer';
      outgoing.writeHead(200, headers).end(content);
    } catch {
      outgoing.writeHead(404).end();
    }
  });
  return { ...server, log };
}
