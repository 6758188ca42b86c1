// Loaded with `debug: true` only: tells on the console what Duet does, and what the proxy would say of
// each call, in its own words.

import packed from './debug_bg.wasm.gz'
import { check, health, initSync } from './debug_glue.js'

const title = 'color:#fe2c55;font-weight:bold'
const say = (text, ...more) => console.log('%c[duet]%c ' + text, title, '', ...more)

const table = (rows) => console.table(rows, ['field', 'rule', 'message'])

// The page's code has room for the codes alone.
const SENTENCES = {
  core: (_field, error) => `Duet stopped working on this page: ${error}`,
  call: (_field, error) => `the event was not reported: ${error}`,
  config: (field) => `init() cannot use the value of ${field}: its type in index.d.ts says what it takes`,
  event_id: () => 'options.eventId must be 1 to 64 of A-Z a-z 0-9 _ . : -; another id was made',
  order_id: () => 'an order id must be text of 1 to 128 bytes, all printable, that names one order; the event has a random id',
  number: (field) => `${field} must be a finite number; the event goes out without it`,
  property: (field) => `${field} could not be read, or JSON has no form for it; the event goes out without it`,
  object: (field) => `${field} must be an object; the event goes out without them`,
  full: () => 'the outbox of this browser is full (1,000 events or 1 MiB); the oldest event that names no order was removed',
  expired: () => 'the event waited 7 days for the proxy and was removed',
  refused: () => 'the proxy rejected the event; it will not be sent again',
}

/** `on` is the SDK's own, which here also knows of every `call`; `settings` are `init()`'s. */
export const start = async (on, settings) => {
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))
  initSync({ module: await new Response(unpacked).arrayBuffer() })
  on('call', (event) => {
    // The module has no tables of Unicode's; the browser has.
    const { errors, warnings } = check(JSON.stringify(event).normalize(), settings.country ?? '', Date.now())
    if (errors.length) {
      say(`${event.event}: the proxy will refuse it`)
      table(errors)
    } else if (warnings.length) {
      console.warn(`[duet] ${event.event}: it is reported, but not as it is: ${warnings.length} of its fields are repaired, left out or odd`)
    } else {
      say(`${event.event}: as it should be`)
    }
    if (warnings.length) table(warnings)
  })
  on('pixel', ({ state }) => say('the Pixel: ' + state))
  on('delivery', ({ event, eventId, status, errors, warnings }) => {
    say(`${event} ${eventId}: ${status}`)
    const said = [...(errors ?? []), ...(warnings ?? [])]
    if (said.length) table(said)
  })
  on('error', ({ code, field, eventId, message }) =>
    say('error', { code, field, eventId, message: SENTENCES[code]?.(field, message) ?? message }),
  )
  return health(String(new URL(settings.endpoint, location.href))).then(({ http, says, rejects }) => {
    if (rejects) say(`the proxy rejects this page's events (HTTP 403): ${rejects}`)
    else if (http === 200 && says) say('the proxy is well', says)
    else say(`the proxy does not answer as it should (HTTP ${http || 'none'}): is ${settings.endpoint} right?`, says)
  })
}
