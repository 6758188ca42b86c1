// Requests to the proxy, and the lock under which all tabs of a site share the outbox.

import { core } from './core.js'
import { gate, numberOf, step, wake } from './effects.js'
import { PREFIX, absolute, quiet, read, remove, write } from './host.js'
import { toJson } from './json.js'
import { emit } from './listeners.js'
import { close, events, look } from './outbox.js'

/** Until when the proxy asked to be left alone, for all tabs of this site. */
export const PAUSE_KEY = PREFIX + 'wait'

const REQUEST_MS = 10_000
const LEASE_MS = 15_000
// A browser lets requests of 64 KiB in all outlive their page, those of other scripts included.
const KEEPALIVE_BYTES = 60_000
// What Rust knows a redirect by that has lost the body.
const MOVED = 300

/** What `init()` was given, with its defaults; undefined until the module has it too. */
export let settings
let token
let inFlight = 0

/** What `init()` is given, with its defaults. */
export const withDefaults = (config) => ({
  ...config,
  country: ((config.country ?? '') + '').trim(),
  credentials: config.credentials || 'same-origin',
  endpoint: absolute(config.endpoint || '/api/analytics/tiktok/track'),
})

/** A body for the proxy. */
export const bodyOf = (events) => toJson({ sent_at: Date.now(), events })

/** Posts to the proxy. Of another content type the browser asks the proxy for leave first, and a page that is left cannot. */
export const send = ({ endpoint, credentials }, request, authorization) =>
  fetch(endpoint, {
    ...request,
    method: 'POST',
    credentials,
    headers: { 'content-type': 'text/plain;charset=UTF-8', ...authorization },
  })

/** Whether requests can outlive their page here. */
export const canOutlive = () => 'keepalive' in Request.prototype

/** A beacon says nothing of its fate, so the events in it stay until an answer names them. */
export const beacon = ({ endpoint }, body) => quiet(() => navigator.sendBeacon(endpoint, body))

export const configure = (config) => {
  settings = config
  if (settings.country && !core(COUNTRY, settings.country)) emit('error', { code: 'config', field: 'country' })
}

export async function post(number, leaving, batch) {
  const body = bodyOf(batch.map(close))
  const { length } = new TextEncoder().encode(body)
  const keepalive = inFlight + length <= KEEPALIVE_BYTES
  // What is known of the answer: an HTTP status, the wait it asks for, and a digit for each event.
  const answer = { status: 0, retryAfterMs: 0, results: '' }
  if (keepalive) inFlight += length
  if (leaving && !(keepalive && canOutlive())) {
    beacon(settings, body)
  } else {
    const abort = new AbortController()
    const { signal } = abort
    // A patched fetch may never answer; nor does Firefox, of what was under way when the page went into its cache.
    const givenUp = new Promise((done) => {
      setTimeout(done, REQUEST_MS)
      addEventListener('pageshow', ({ persisted }) => persisted && done(), { signal })
    })
    await Promise.race([ask({ body, keepalive, signal }, leaving, batch, answer), givenUp]).catch(() => {})
    abort.abort()
  }
  if (keepalive) inFlight -= length
  await Promise.all(step(ANSWERED, number, answer.status, answer.retryAfterMs, answer.results))
}

// Offline, blocked, patched, cut off or no JSON: what `answer` has got by then is the answer.
async function ask(request, leaving, batch, answer) {
  const { getToken } = settings
  if (getToken && !leaving) token = await getToken()
  const response = await send(settings, request, token && { authorization: 'Bearer ' + token })
  answer.retryAfterMs = milliseconds(response.headers.get('retry-after'))
  const moved = response.redirected && response.ok
  // A 307 or 308 hands the body on; of anything else a GET was made, whose answer settles nothing.
  answer.status = moved ? MOVED : response.status
  const { status, results = [], warnings } = await response.json()
  answer.results = batch.map((event, at) => resultOf(events[event], results[at], warnings)).join('')
  if (+answer.results) answer.status = response.status
  else if (moved && status == 'ok') {
    // It was the proxy that the GET has reached.
    settings.endpoint = response.url
    answer.status = 0
  }
}

// Results stand in the order of the events, and are believed only under the right id; a rejection, only with its rules.
const resultOf = (event, { event_id, status, ...said } = {}, warnings) => {
  if (!event || event_id != event.id || (status == 'invalid' && !said.errors?.length)) return 0
  event.said = { warnings, ...said }
  // As answer.rs reads it: nothing, or which of the proxy's words.
  return numberOf(status) + 1
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
  if (gate != 'open') return
  step(LOOK, +read(PAUSE_KEY))
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
