// Requests to the proxy, and the lock under which all tabs of a site share the outbox.

import { ADOPT, ANSWERED, step, wake } from './effects.js'
import { PREFIX, join, keys, quiet, read, remove, write } from './host.js'

const REQUEST_MS = 10_000
const LEASE_MS = 15_000
// A browser lets requests of 64 KiB in all outlive their page, those of other scripts included.
const KEEPALIVE_BYTES = 60_000

/** What `init()` was given, with its defaults. */
export let settings
let token
let inFlight = 0

export const endpointOf = (config) => config.endpoint || '/api/analytics/tiktok/track'

export const configure = (config) => {
  settings = {
    ...config,
    endpoint: endpointOf(config),
    credentials: config.credentials || 'same-origin',
  }
}

export async function post(number, leaving, body) {
  // Status, retry after, whether the proxy spoke, its results: as far as they are known.
  const answer = [0, 0]
  const { length } = new TextEncoder().encode(body)
  const keepalive = inFlight + length <= KEEPALIVE_BYTES
  if (keepalive) inFlight += length
  if (leaving && !(keepalive && 'keepalive' in Request.prototype)) {
    // A beacon says nothing of its fate, so the events stay until an answer names them.
    quiet(() => navigator.sendBeacon(settings.endpoint, body))
  } else {
    const abort = new AbortController()
    const { signal } = abort
    // A patched fetch may never answer; nor does Firefox, of what was under way when the page went into its cache.
    const givenUp = new Promise((done) => {
      setTimeout(done, REQUEST_MS)
      addEventListener('pageshow', ({ persisted }) => persisted && done(), { signal })
    })
    await Promise.race([ask(body, keepalive, leaving, answer, signal), givenUp]).catch(() => {})
    abort.abort()
  }
  if (keepalive) inFlight -= length
  const [status, retryAfter, spoken, results] = answer
  await Promise.all(step(ANSWERED, [number, status, retryAfter, spoken], results).requests)
}

// Offline, blocked, patched, cut off or no JSON: what `answer` has got by then is the answer.
async function ask(body, keepalive, leaving, answer, signal) {
  const { endpoint, credentials, getToken } = settings
  if (getToken && !leaving) token = await getToken()
  const response = await fetch(endpoint, {
    method: 'POST',
    body,
    keepalive,
    credentials,
    signal,
    // With anything else the browser asks the proxy for leave first, and a page that is left cannot.
    headers: {
      'content-type': 'text/plain;charset=UTF-8',
      ...(token && { authorization: 'Bearer ' + token }),
    },
  })
  answer[0] = response.status
  answer[1] = milliseconds(response.headers.get('retry-after'))
  const { success, results = [], warnings } = await response.json()
  answer[3] = results.map((result) =>
    join([
      result.event_id,
      result.status,
      JSON.stringify(result.errors),
      JSON.stringify(result.warnings ?? warnings),
    ]),
  )
  answer[2] = typeof success == 'boolean'
}

const milliseconds = (header) => {
  const ms = /^\d+$/.test(header) ? header * 1000 : Date.parse(header) - Date.now()
  return ms > 0 ? Math.round(ms) : 0
}

let adopting
let again

/** Has Rust look at everything that is stored, while no other tab does the same. */
export async function adopt() {
  again = true
  if (adopting) return
  adopting = true
  while (again) {
    again = false
    await (navigator.locks ? navigator.locks.request(PREFIX, work) : leased()).catch(leased)
  }
  adopting = false
}

const work = () => Promise.all(quiet(() => step(ADOPT, [], keys()).requests) ?? [])

// Without Web Locks (an insecure origin, an old browser) a key with a time in it has to do.
async function leased() {
  const key = PREFIX + 'lock'
  const busy = read(key) - Date.now()
  if (busy > 0 && busy <= LEASE_MS) return wake(busy)
  write(key, Date.now() + LEASE_MS)
  await work()
  remove(key)
}
