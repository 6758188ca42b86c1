// Logs Duet's actions, and checks every call with the proxy's own rules and messages. Loaded only with `debug: true`.

import packed from './debug_bg.wasm.gz'
import { check, health, initSync } from './debug_glue.js'

const title = 'color:#fe2c55;font-weight:bold'
const say = (text, ...more) => console.log('%c[duet]%c ' + text, title, '', ...more)

const table = (rows) => console.table(rows, ['field', 'rule', 'message'])

// The page's own scripts contain only error codes, to be small. This script contains the sentences for these codes.
const SENTENCES = {
  core: (_field, error) => `Duet stopped working on this page: ${error}`,
  call: (_field, error) => `the event was not reported: ${error}`,
  config: (field) => `init() cannot use the value of ${field}; see its type in index.d.ts`,
  event_id: () => 'options.eventId must be 1 to 64 of A-Z a-z 0-9 _ . : -; the event has another id',
  order_id: () => 'an order id must be printable text of 1 to 128 bytes, and no placeholder; the event has a random id',
  number: (field) => `${field} must be a finite number; the event is sent without it`,
  property: (field) => `${field} must be readable and possible in JSON; the event is sent without it`,
  object: (field) => `${field} must be an object; the event is sent without them`,
  full: () => 'the outbox of this browser is full (1,000 events or 1 MiB); the oldest event without an order was removed',
  expired: () => 'the event waited 7 days for the proxy and was removed',
  refused: () => 'the proxy rejected the event; it will not be sent again',
}

/**
 * `on` is the SDK's own function `on`, which here also accepts the kind `call`. `settings` are the settings of `init()`.
 */
export const start = async (on, settings) => {
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))
  initSync({ module: await new Response(unpacked).arrayBuffer() })
  on('call', (event) => {
    // The module does not contain Unicode's tables, so the browser's tables are used.
    const { errors, warnings } = check(JSON.stringify(event).normalize(), settings.country ?? '', Date.now())
    if (errors.length) {
      say(`${event.event}: the proxy will reject this event`)
      table(errors)
    } else if (warnings.length) {
      console.warn(`[duet] ${event.event}: the event is sent, but ${warnings.length} fields are repaired, left out or odd`)
    } else {
      say(`${event.event}: the event is correct`)
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
    else if (http === 200 && says) say('the proxy is healthy', says)
    else say(`the proxy must answer with its health (HTTP ${http || 'none'}): check the endpoint ${settings.endpoint}`, says)
  })
}
