// Duet on a page: turns calls into what the Rust module reads, and keeps every exception away from
// the page.

import { attach, happened, step } from './effects.js'
import { FIELD, clicked, facts, join, quiet, storedEvents } from './host.js'
import { eventId } from './ids.js'
import { emit, on, setDebug, settle, settleInTime, ticket } from './listeners.js'
import { poll } from './orders.js'
import { propertiesOf } from './properties.js'
import { configure } from './requests.js'
import { setNonce } from './ttq.js'
import { connect, open } from './core.js'

const ENDPOINT = '/api/analytics/tiktok/track'

// `down` until something is called; `loading` where the translated module has to be fetched first.
let state = 'down'
let ready = Promise.resolve()
const waiting = []

const fail = (error) => {
  state = 'dead'
  waiting.length = 0
  emit('error', { code: 'core', message: 'Duet stopped working on this page: ' + error })
}

const up = (call) => {
  // A trap may leave the module half-way through something; it is never called again.
  attach((name, input) => {
    if (state === 'dead') return ''
    try {
      return call(name, input)
    } catch (error) {
      fail(error)
      return ''
    }
  })
  state = 'up'
  for (const task of waiting.splice(0)) quiet(task)
}

const bringUp = () => {
  if (state !== 'down') return
  try {
    up(open())
  } catch {
    state = 'loading'
    ready = import('./fallback.js').then((fallback) => up(connect(fallback.instantiate))).catch(fail)
  }
}

const run = (task) => {
  bringUp()
  if (state === 'up') quiet(task)
  else if (state === 'loading') waiting.push(task)
}

let settings
let begun
const beginning = new Promise((resolve) => {
  begun = resolve
})

const init = (config = {}) => {
  run(() => {
    setDebug(config.debug)
    if (!settings) {
      settings = {
        endpoint: config.endpoint || ENDPOINT,
        credentials: config.credentials || 'same-origin',
        getToken: config.getToken,
      }
      configure(settings)
      setNonce(config.nonce)
      listen()
    }
    const { pixelId, pixel, pixelScriptUrl, autoPage, country, currency, consent = 'granted' } = config
    const { globalPrivacyControl, language } = navigator
    const pixels = [pixelId, pixel, pixelScriptUrl, autoPage]
    const rest = [country, currency, known(consent), globalPrivacyControl, language, clicked()]
    step('init', join([...pixels, ...rest]) + FIELD + facts())
    begun()
  })
  return ready
}

const known = (consent) => {
  if (!['granted', 'denied', 'pending'].includes(consent)) {
    emit('error', { code: 'config', field: 'consent', message: "consent is 'granted', 'denied' or 'pending'; it stays pending" })
  }
  return consent
}

const listen = () => {
  const leave = () => quiet(() => step('leave', join([Date.now()])))
  addEventListener('pagehide', leave)
  addEventListener('online', () => happened('hurry'))
  addEventListener('pageshow', (event) => event.persisted && happened('hurry'))
  document.addEventListener('visibilitychange', () => (document.hidden ? leave() : happened('wake')))
}

const userFields = (user) => join([user?.email, user?.phone, user?.externalId ?? user?.userId])

const seconds = (time) => {
  const number = +(time ?? NaN)
  // Milliseconds, as a Date gives them, are a thousand times too large for seconds.
  return Number.isFinite(number) ? Math.floor(number > 1e11 ? number / 1000 : number) : ''
}

const textOf = (properties) => {
  const text = JSON.stringify(properties ?? {})
  if (text?.startsWith('{')) return text
  throw new TypeError('properties is not an object')
}

const fire = (pixel, server, event, properties, options) => {
  const { number, delivery } = ticket()
  let id = ''
  try {
    const { orderId = properties?.order_id, eventId: own, user, eventTime, testEventCode, ...rest } = options ?? {}
    const call = join([
      number,
      pixel && rest.pixel !== false,
      server,
      event,
      textOf(properties),
      orderId,
      properties?.order_id == null,
      properties?.value != null && properties.currency == null,
      own,
      rest.limitedDataUse === true,
      seconds(eventTime),
      testEventCode,
    ])
    const input = [call, facts(), userFields(user)].join(FIELD)
    bringUp()
    if (state === 'up') {
      id = step('track', FIELD + input).answer
    } else if (state === 'loading') {
      id = eventId(event, orderId, own)
      waiting.push(() => step('track', id + FIELD + input))
    }
  } catch (error) {
    emit('error', { code: 'call', message: `${event} was not reported: ${error}` })
  }
  if (!id) {
    id = quiet(() => eventId(event, options?.orderId, options?.eventId)) ?? ''
    settle(number, { status: 'dropped', eventId: id })
  }
  settleInTime(number, id)
  return { eventId: id, delivery }
}

const watchOrder = (orderId, options) => {
  const { onPaid, intervalMs = 3000, timeoutMs = 1_800_000, properties, ...rest } = options ?? {}
  let stop
  let stopped = false
  const paid = () => {
    fire(true, true, 'CompletePayment', properties, { ...rest, orderId })
    onPaid?.()
  }
  beginning.then(() => {
    if (stopped) return
    const endpoint = new URL(settings.endpoint, location.href)
    const url = new URL('/api/orders/' + encodeURIComponent(orderId), endpoint)
    stop = poll(url, settings.credentials, intervalMs, timeoutMs, paid)
  })
  return () => {
    stopped = true
    stop?.()
  }
}

/** The calls of this page. */
export const browser = {
  init,
  identify(user) {
    run(() => step('identify', join([Date.now()]) + FIELD + userFields(user)))
  },
  reset() {
    run(() => step('reset', ''))
  },
  setConsent(consent) {
    run(() => step('consent', join([known(consent), clicked()]) + FIELD + facts()))
  },
  page() {
    run(() => step('page', join([location.href])))
  },
  eventIdFor: (event, orderId) => quiet(() => eventId(event, orderId)) ?? '',
  watchOrder,
  flush: async () => {
    await ready
    await Promise.all(state === 'up' ? happened('hurry') : [])
  },
  // What is stored may be an earlier page's, or another tab's, of which Rust does not know yet.
  pending: () => (state === 'up' ? Math.max(+step('pending', '').answer, storedEvents().length) : waiting.length),
  on,
  fire,
  fireFields: (event, fields, options) => fire(true, true, event, quiet(() => propertiesOf(fields)), options),
}
