// Duet on a page: brings the Rust module up, and keeps every exception away from the page.

import { open, openLater } from 'source'
import { ADOPT, CONSENT, HURRY, IDENTIFY, INIT, LEAVE, PENDING, RESET, WAKE, attach, happened, step } from './effects.js'
import { letGo } from './early.js'
import { fire, userFields } from './fire.js'
import { held, hold, replay } from './held.js'
import { clicked, quiet, storedEvents } from './host.js'
import { eventId } from './ids.js'
import { emit, on } from './listeners.js'
import { poll } from './orders.js'
import { propertiesOf } from './properties.js'
import { configure, settings } from './requests.js'
import { addPixel, view } from './ttq.js'

/** Whether the module runs. */
let isUp
/** Fulfilled when the module is there, where it has to be fetched. */
let ready
/** What the first `init()` was given, where it came before the module. */
let early

const fail = (error) => {
  // A trap may leave the module half-way through something; it is never called again.
  attach(() => '')
  isUp = true
  held.length = 0
  emit('error', { code: 'core', message: 'Duet stopped working on this page: ' + error })
}

const up = (call) => {
  attach((kind, input) => {
    try {
      return call(kind, input)
    } catch (error) {
      fail(error)
      return ''
    }
  })
  isUp = true
  replay()
}

const leaveEarly = () => isUp || quiet(() => letGo(early))

const bringUp = () => {
  if (isUp || ready || typeof document == 'undefined') return isUp
  try {
    up(open())
  } catch {
    ready = openLater().then(up).catch((error) => {
      // Firefox breaks off what it loads before it says that the page is left.
      leaveEarly()
      fail(error)
    })
  }
  return isUp
}

const run = (task) => {
  if (bringUp()) quiet(task)
  else if (ready) hold(task)
}

let begun
const beginning = new Promise((resolve) => {
  begun = resolve
})

const init = (config) => {
  run(() => {
    if (!settings) {
      configure(config)
      if (config.debug) import('./debug.js').then((debug) => debug.start(on, settings)).catch(console.warn)
      listen()
      addPixel(config)
      step(INIT, [config.country, known(config.consent ?? 'granted'), clicked()])
      replay()
      begun()
    } else {
      addPixel(config)
    }
  })
  if (!isUp && ready) {
    early ??= config
    addEventListener('pagehide', leaveEarly)
  }
  return Promise.resolve(ready)
}

const known = (consent) => {
  if (!/^(granted|denied|pending)$/.test(consent)) emit('error', { code: 'config', field: 'consent' })
  return consent
}

const listen = () => {
  const leave = () => quiet(() => step(LEAVE))
  const hurry = () => happened(HURRY)
  addEventListener('pagehide', leave)
  addEventListener('online', hurry)
  addEventListener('pageshow', (event) => event.persisted && hurry())
  document.addEventListener('visibilitychange', () => (document.hidden ? leave() : happened(WAKE)))
}

const watchOrder = (orderId, options) => {
  const { onPaid, intervalMs = 3000, timeoutMs = 1_800_000, properties, ...rest } = options ?? {}
  let stop
  let stopped
  beginning.then(() => {
    if (stopped) return
    const { endpoint, credentials } = settings
    const url = new URL('/api/orders/' + encodeURIComponent(orderId), new URL(endpoint, location.href))
    stop = poll(url, credentials, intervalMs, timeoutMs, () => {
      track(true, true, 'CompletePayment', properties, { ...rest, orderId })
      onPaid?.()
    })
  })
  return () => {
    stopped = true
    stop?.()
  }
}

const track = (...call) => fire(bringUp(), ready, ...call)

/** The calls of this page. */
export const browser = {
  init,
  identify(user) {
    const fields = quiet(() => userFields(user))
    const task = () => step(IDENTIFY, fields).h && hold(task)
    if (fields) run(task)
  },
  reset() {
    run(() => {
      // An identity nobody has looked at yet is not worth keeping.
      held.splice(0, held.length, ...held.filter((task) => task.number))
      step(RESET)
    })
  },
  setConsent(consent) {
    const task = () => {
      step(CONSENT, [known(consent), clicked()])
      replay()
    }
    task.choice = consent
    run(task)
  },
  page() {
    run(view)
  },
  eventIdFor: (event, orderId) => quiet(() => eventId(event, orderId)) ?? '',
  watchOrder,
  flush: async () => {
    await ready
    if (isUp) await Promise.all(happened(HURRY))
  },
  // What is stored may be an earlier page's, or another tab's, of which Rust does not know yet.
  pending: () => (isUp ? Math.max(step(PENDING).i ?? 0, storedEvents().length) : 0) + held.length,
  on,
  fire: track,
  fireFields: (event, fields, options) => track(true, true, event, quiet(() => propertiesOf(fields)), options),
}
