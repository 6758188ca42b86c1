// The browsers that the package's README names follow from what the code uses of them. A name that stands in no list here is
// new: look up since when browsers have it.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { devNull } from 'node:os'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'acorn'

const file = (path) => new URL('../' + path, import.meta.url)
const read = (path) => readFileSync(file(path), 'utf8')
const built = (name) => read('../target/npm/duet-sdk/' + name)

/** What the code cannot do without: since which Chrome, Firefox and Safari. */
const NEEDED = {
  'script type="module"': [61, 60, 11],
  'syntax of ES2021': [85, 79, 14],
  'non-trapping float-to-int of WebAssembly': [75, 64, 15],
  'bulk memory of WebAssembly': [75, 79, 15],
  AbortController: [66, 57, 12.1],
  encodeInto: [74, 61, 14.1],
  written: [74, 61, 14.1],
  flatMap: [69, 62, 12],
  fromEntries: [73, 63, 12.1],
  globalThis: [71, 65, 12.1],
  'import.meta': [64, 62, 11.1],
  queueMicrotask: [71, 69, 12.1],
}

/** What it uses where it is there: it asks first, or goes another way when it fails. */
const USED_WHERE_THERE = [
  // Web Locks; what can be sent while a page is left; who asks not to be sold; trusted types
  'locks', 'sendBeacon', 'globalPrivacyControl', 'trustedTypes', 'createPolicy', 'createScriptURL',
  // A module that is compiled while it arrives; a page that is not shown yet; the navigation's own entry
  'compileStreaming', 'prerendering', 'getEntriesByType',
  // `debug: true` alone
  'DecompressionStream', 'Blob', 'Response', 'stream', 'pipeThrough',
  // What makes the ids of a server differ
  'timeOrigin',
]

/** What browsers had before they had modules. */
const OLDER = `
  Array ArrayBuffer BigInt Boolean DataView Date Document Error Infinity Int32Array JSON Map Math NaN Number Object Promise Proxy Reflect RegExp Request
  Set String Symbol TextEncoder TypeError URL Uint8Array WeakMap WebAssembly clearTimeout console crypto decodeURIComponent document
  encodeURIComponent fetch isFinite isNaN localStorage location navigator parseFloat parseInt performance sessionStorage setTimeout
  undefined window history
  Instance Module abort add addEventListener append apply arrayBuffer assign baseURI bind body buffer call catch cbrt charCodeAt
  compile concat configurable cookie createElement credentials defineProperty delete done documentElement encode endsWith entries enumerable
  every exec exports filter find findIndex finally floor for forEach from fromCharCode get getAll getElementsByTagName getInt32 getItem getOwnPropertyDescriptor
  getRandomValues has hash head headers hidden host hostname href includes indexOf info insertBefore instantiate isArray isInteger isSafeInteger join json
  keepalive key keys language lastIndexOf length log map match max message min name nodeType nonce normalize now ok open origin parentNode parse pathname
  pop port pow protocol prototype push querySelector race random readyState redirected reduce referrer removeEventListener removeItem
  replace request resolve round search searchParams set setInt32 setItem shift signal size slice some sort splice split sqrt src
  startsWith status storage stringify subarray substring test then toFixed toJSON toLowerCase toString toUpperCase trim type unescape unshift
  url userAgent value values visibilityState warn
`.trim().split(/\s+/)

/** What callers give is named in the types; this is what TikTok's script has. */
const THEIRS = ['TiktokAnalyticsObject', '_i', '_o', '_t', '_u', 'historyObserver', 'instance']

/** Calls `visit` with each part of a tree, and the part it is in. */
function walk(part, visit, parent, key) {
  if (Array.isArray(part)) return part.forEach((one) => walk(one, visit, parent, key))
  if (typeof part?.type !== 'string') return undefined
  visit(part, parent, key)
  return Object.entries(part).forEach(([key, inside]) => walk(inside, visit, part, key))
}

/** What a page's side asks of others by name, and what it names itself. */
function names() {
  const asked = new Set()
  const own = new Set()
  for (const name of readdirSync(file('page/'))) {
    walk(parse(read('page/' + name), { ecmaVersion: 'latest', sourceType: 'module' }), (part, parent, key) => {
      if (part.type !== 'Identifier') return
      const isMember = parent.type === 'MemberExpression' && key === 'property' && !parent.computed
      const isKey = parent.type === 'Property' && key === 'key' && !parent.computed
      const isGiven = ['id', 'params', 'local', 'imported', 'exported', 'param', 'left'].includes(key)
      if (isKey || isGiven || parent.type === 'ArrayPattern' || parent.type === 'RestElement') own.add(part.name)
      else if (isMember || !/^[A-Z_]+$/.test(part.name)) asked.add(part.name)
    })
  }
  return { asked, own }
}


test('every name that the code uses of a browser is in a list', () => {
  const fields = read('npm/index.d.ts').match(/\w+(?=\??:)/g)
  const known = new Set([...OLDER, ...USED_WHERE_THERE, ...Object.keys(NEEDED), ...THEIRS, ...fields, 'import', 'meta'])
  const { asked, own } = names()
  assert.deepEqual([...asked].filter((name) => !known.has(name) && !own.has(name)), [])
})

test('what is listed as needed is used', () => {
  const { asked } = names()
  const apis = Object.keys(NEEDED).filter((name) => /^\w+$/.test(name))
  assert.deepEqual(apis.filter((name) => !asked.has(name)), [])
  assert.ok(asked.has('meta'))
})

test('the syntax is that of ES2021 and no newer, without lookbehind', () => {
  const parsed = (name, ecmaVersion) => parse(built(name), { ecmaVersion, sourceType: 'module' })
  for (const name of ['index.js', 'external.js', 'fallback.js']) {
    parsed(name, 2021)
    walk(parsed(name, 2021), ({ type, regex }) => assert.ok(type !== 'Literal' || !/\(\?<[=!]/.test(regex?.pattern), `Safari 16.4: ${regex?.pattern}`))
  }
  assert.throws(() => parsed('index.js', 2020))
})

test('the module needs two features beyond the first WebAssembly', () => {
  const paths = ['node_modules/binaryen/bin/wasm-opt', '../target/npm/duet-sdk/duet.wasm'].map((path) => fileURLToPath(file(path)))
  const validate = (...features) =>
    execFileSync(process.execPath, [...paths, '--mvp-features', ...features, '-o', devNull], { stdio: 'pipe' })
  const both = ['--enable-nontrapping-float-to-int', '--enable-bulk-memory']
  validate(...both)
  for (const one of both) assert.throws(() => validate(one))
})

test('the README names the oldest browsers that have all of it', () => {
  const named = /Browsers: Chrome and Edge ([\d.]+), Firefox ([\d.]+), Safari ([\d.]+) and newer/.exec(read('npm/README.md'))
  const oldest = [0, 1, 2].map((browser) => Math.max(...Object.values(NEEDED).map((since) => since[browser])))
  assert.deepEqual(named?.slice(1).map(Number), oldest)
})
