// Requests to the proxy, and the lock under which all tabs of a site share the outbox.

import { core } from './core.js'
import { ANSWERED, LOOK, LOOKED, gate, numberOf, step, wake } from './effects.js'
import { PREFIX, quiet, read, remove, write } from './host.js'
import { emit } from './listeners.js'
import { close, events, look } from './outbox.js'

/** Until when the proxy asked to be left alone, for all tabs of this site. */
export const PAUSE_KEY = PREFIX + 'wait'

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
    country: ((config.country ?? '') + '').trim(),
    endpoint: endpointOf(config),
    credentials: config.credentials || 'same-origin',
  }
  if (settings.country && !core(COUNTRY, settings.country)) emit('error', { code: 'config', field: 'country' })
}

export async function post(number, leaving, batch) {
  const body = JSON.stringify({ sent_at: Date.now(), events: batch.map(close) })
  // Retry after, status, whether the proxy spoke, its results: as far as they are known.
  const answer = [0, 0, 0, '']
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
    await Promise.race([ask(body, keepalive, leaving, batch, answer, signal), givenUp]).catch(() => {})
    abort.abort()
  }
  if (keepalive) inFlight -= length
  await Promise.all(step(ANSWERED, number, ...answer))
}

// Offline, blocked, patched, cut off or no JSON: what `answer` has got by then is the answer.
async function ask(body, keepalive, leaving, batch, answer, signal) {
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
  answer[1] = response.status
  answer[0] = milliseconds(response.headers.get('retry-after'))
  const { success, results = [], warnings } = await response.json()
  // Results stand in the order of the events, and are believed only under the right id.
  answer[3] = batch
    .map((event, at) => {
      const { event_id, status, ...said } = results[at] ?? {}
      if (event_id != events[event]?.id) return 0
      events[event].said = { warnings, ...said }
      return numberOf(status)
    })
    .join('')
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

const work = async () => {
  if (gate) return
  step(LOOK, 0, +read(PAUSE_KEY))
  look()
  await Promise.all(step(LOOKED))
}

// Without Web Locks (an insecure origin, an old browser) a key with a time in it has to do.
async function leased() {
  const key = PREFIX + 'lock'
  const busy = read(key) - Date.now()
  if (busy > 0 && busy <= LEASE_MS) return wake(busy)
  write(key, Date.now() + LEASE_MS)
  await work()
  remove(key)
}
