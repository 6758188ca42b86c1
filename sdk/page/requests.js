// Requests to the proxy, and the lock by which all tabs of a site share the outbox.

import { core } from './core.js'
import { PREFIX, absolute, quiet, read, remove, write } from './host.js'
import { toJson } from './json.js'
import { emit } from './listeners.js'
import { close, events, look } from './outbox.js'
import { gate, numberOf, step, wake } from './steps.js'

/** The storage key of the pause that the proxy asked for. All tabs of this site send nothing until the stored time. */
export const PAUSE_KEY = PREFIX + 'wait'

const REQUEST_MS = 10_000
const LEASE_MS = 15_000
// A browser allows 64 KiB in total for all requests that outlive their page, including the requests of other scripts.
const KEEPALIVE_BYTES = 60_000
// The status that Rust expects if a redirect has lost the body.
const MOVED = 300

/** The settings of `init()` with defaults. They are undefined until the module has the settings too. */
export let settings
let token
let inFlight = 0

/** Adds the defaults to the settings of `init()`. */
export const withDefaults = (config) => ({
  ...config,
  country: ((config.country ?? '') + '').trim(),
  credentials: config.credentials || 'same-origin',
  endpoint: absolute(config.endpoint || '/api/analytics/tiktok/track'),
})

/** Returns the body of a request to the proxy. */
export const bodyOf = (events) => toJson({ sent_at: Date.now(), events })

/**
 * Posts a body to the proxy. The request has a content type that needs no preflight request, because a preflight request is
 * impossible when the page is left.
 */
export const send = ({ endpoint, credentials }, request, authorization) =>
  fetch(endpoint, {
    ...request,
    method: 'POST',
    credentials,
    headers: { 'content-type': 'text/plain;charset=UTF-8', ...authorization },
  })

/** Returns whether `fetch` requests can outlive their page in this browser. */
export const canOutlive = () => 'keepalive' in Request.prototype

/**
 * Sends a body as a beacon. A page cannot read the answer to a beacon, so the events stay stored until the answer to another
 * request names them.
 */
export const beacon = ({ endpoint }, body) => quiet(() => navigator.sendBeacon(endpoint, body))

export const configure = (config) => {
  settings = config
  if (settings.country && !core(COUNTRY, settings.country)) emit('error', { code: 'config', field: 'country' })
}

export async function post(number, leaving, batch) {
  const body = bodyOf(batch.map(close))
  const { length } = new TextEncoder().encode(body)
  const keepalive = inFlight + length <= KEEPALIVE_BYTES
  // The result of the request: the HTTP status, the wait that the proxy asks for, and a digit for each event.
  const answer = { status: 0, retryAfterMs: 0, results: '' }
  if (keepalive) inFlight += length
  if (leaving && !(keepalive && canOutlive())) {
    beacon(settings, body)
  } else {
    const abort = new AbortController()
    const { signal } = abort
    // A patched `fetch` may never answer. Also, if a request is running when Firefox puts the page into its cache, the request
    // is never answered.
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

// The request can fail: the browser is offline, or the request is blocked, patched or interrupted, or the answer is not JSON.
// Then `answer` keeps the values that it has so far.
async function ask(request, leaving, batch, answer) {
  const { getToken } = settings
  if (getToken && !leaving) token = await getToken()
  const response = await send(settings, request, token && { authorization: 'Bearer ' + token })
  answer.retryAfterMs = milliseconds(response.headers.get('retry-after'))
  const moved = response.redirected && response.ok
  // After a 307 or 308, the browser sends the body again. After other redirects, it sends a GET without the body, whose answer
  // settles no event.
  answer.status = moved ? MOVED : response.status
  const { status, results = [], warnings } = await response.json()
  answer.results = batch.map((event, at) => resultOf(events[event], results[at], warnings)).join('')
  if (+answer.results) answer.status = response.status
  else if (moved && status == 'ok') {
    // The GET has reached the proxy, so use the address to which the redirect leads.
    settings.endpoint = response.url
    answer.status = 0
  }
}

// The results have the order of the events. A result counts only if it has the id of its event. A rejection counts only if it
// names the broken rules.
const resultOf = (event, { event_id, status, ...said } = {}, warnings) => {
  if (!event || event_id != event.id || (status == 'invalid' && !said.errors?.length)) return 0
  event.said = { warnings, ...said }
  // The result as answer.rs expects it: 0, or the number of the proxy's status.
  return numberOf(status) + 1
}

const milliseconds = (header) => {
  const ms = /^\d+$/.test(header) ? header * 1000 : Date.parse(header) - Date.now()
  return ms > 0 ? Math.round(ms) : 0
}

let adopting
let again

/** Passes all stored events to Rust, while no other tab of this site does the same. */
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

// If the browser has no Web Locks (an insecure origin, an old browser), a storage key with a time is used as the lock.
async function leased() {
  const key = PREFIX + 'lock'
  const busy = read(key) - Date.now()
  if (busy > 0 && busy <= LEASE_MS) return wake(busy)
  write(key, Date.now() + LEASE_MS)
  await work()
  remove(key)
}
