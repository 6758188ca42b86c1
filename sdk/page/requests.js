// Requests to the proxy, and the lock under which all tabs of a site share the outbox.

import { FIELD, PREFIX, RECORD, facts, join, keys, quiet, read, remove, write } from './host.js'
import { log } from './listeners.js'
import { step, wake } from './effects.js'

const REQUEST_MS = 10_000
const LEASE_MS = 15_000
// A browser lets requests of 64 KiB in all outlive their page, those of other scripts included.
const KEEPALIVE_BYTES = 60_000

let settings
let token
let inFlight = 0

export const configure = (config) => {
  settings = config
}

export async function post(number, leaving, body) {
  log('post', body)
  const answer = { status: 0, retryAfter: 0 }
  const bytes = new TextEncoder().encode(body).length
  const keepalive = inFlight + bytes <= KEEPALIVE_BYTES
  if (keepalive) inFlight += bytes
  if (leaving && !(keepalive && 'keepalive' in Request.prototype)) {
    // A beacon says nothing of its fate, so the events stay until an answer names them.
    quiet(() => navigator.sendBeacon(settings.endpoint, body))
  } else {
    await ask(body, keepalive, leaving, answer).catch((error) => log('request failed', error))
  }
  if (keepalive) inFlight -= bytes
  const head = join([number, answer.status, answer.retryAfter, answer.spoken]) + FIELD + facts()
  await Promise.all(quiet(() => step('answered', [head, ...(answer.results ?? [])].join(RECORD)).requests) ?? [])
}

// Offline, blocked, patched, cut off or no JSON: what `answer` has got by then is the answer.
async function ask(body, keepalive, leaving, answer) {
  const { getToken } = settings
  if (getToken && !leaving) token = await getToken()
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), REQUEST_MS)
  try {
    const response = await fetch(settings.endpoint, {
      method: 'POST',
      body,
      keepalive,
      credentials: settings.credentials,
      signal: abort.signal,
      // With anything else the browser asks the proxy for leave first, and a page that is left cannot.
      headers: {
        'content-type': 'text/plain;charset=UTF-8',
        ...(getToken && token && { authorization: 'Bearer ' + token }),
      },
    })
    answer.status = response.status
    answer.retryAfter = milliseconds(response.headers.get('retry-after'))
    const { success, results = [], warnings } = await response.json()
    answer.results = results.map((result) =>
      join([
        result.event_id,
        result.status,
        result.errors && JSON.stringify(result.errors),
        JSON.stringify(result.warnings ?? warnings),
      ]),
    )
    answer.spoken = typeof success === 'boolean'
  } finally {
    clearTimeout(timer)
  }
}

const milliseconds = (header) => {
  if (!header) return 0
  const ms = /^\d+$/.test(header) ? header * 1000 : Date.parse(header) - Date.now()
  return ms > 0 ? Math.round(ms) : 0
}

let adopting = false
let again = false

/** Has Rust look at everything that is stored, while no other tab does the same. */
export async function adopt() {
  if (adopting) {
    again = true
    return
  }
  adopting = true
  do {
    again = false
    await (navigator.locks ? navigator.locks.request(PREFIX, work) : leased()).catch(leased)
  } while (again)
  adopting = false
}

const work = () =>
  Promise.all(quiet(() => step('adopt', [Date.now(), ...keys()].join(RECORD)).requests) ?? [])

// Without Web Locks (an insecure origin, an old browser) a key with a time in it has to do.
async function leased() {
  const key = PREFIX + 'lock'
  const busy = read(key) - Date.now()
  if (busy > 0 && busy <= LEASE_MS) return wake(busy)
  write(key, Date.now() + LEASE_MS)
  await work()
  remove(key)
}
