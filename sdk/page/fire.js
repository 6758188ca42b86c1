// One call of a `track…` function: builds the event from the data of the page.

import { core } from './core.js'
import { drop } from './early.js'
import { hold } from './held.js'
import { PREFIX, here, ofDocument, quiet, read, write } from './host.js'
import { eventId, isReserved, ofOrder, plainOrder } from './ids.js'
import { copyOf, toJson } from './json.js'
import { emit, settle, settleInTime, ticket } from './listeners.js'
import { alias, brokenBy, canonical } from './names.js'
import { add } from './outbox.js'
import { phase } from './phase.js'
import { forPixel } from './repair.js'
import { settings } from './requests.js'
import { gate } from './steps.js'
import { forProxy, pixels, report } from './ttq.js'
import { digestsOf, members, ttclid } from './visitor.js'

// The largest size of an event, in bytes. The proxy accepts no larger event, and browsers cancel larger requests when their
// page is left.
const MOST_BYTES = 60_000

export const userFields = (user) => [user?.email, user?.phone, user?.externalId ?? user?.userId]

/** Converts a time, as a `Date` or in seconds, to whole Unix seconds. If there is no time, returns the present time. */
export const seconds = (time) => {
  const number = +(time ?? NaN)
  // A number this large is a time in milliseconds, such as that of a `Date`.
  return Math.floor(number > 1e11 ? number / 1000 : isFinite(number) ? number : Date.now() / 1000)
}

/**
 * Completes the properties for both legs: adds the default currency if the event has none, and the order id, because the proxy
 * accepts an event id that is derived from an order only together with this order's id. A text that cannot name an order is
 * added unchanged, so that the proxy checks it.
 */
export const complete = (properties, currency, orderId) => {
  if (currency && properties.value != null) properties.currency ??= currency
  if (orderId) properties.order_id = plainOrder(orderId) || orderId
  return properties
}

/** Returns the wanted legs on which this event of an order has not been fired before, and marks them as fired. */
const unfired = (mark, wanted) => {
  if (!mark) return wanted
  const now = Date.now()
  const [at, fired] = read(mark).split(' ')
  const before = core(BELIEVED, +(fired ?? 0), +at, now)
  if (phase.isUp) write(mark, now + ' ' + (wanted | before), true)
  return wanted & ~before
}

/** Reports one event. `wanted` are the legs on which the event is sent: `pixel`, `server`, or both. */
export const fire = (wanted, called, properties, options) => {
  const event = quiet(() => ((called ?? '') + '').trim()) ?? ''
  const { number, delivery } = ticket(event)
  const { isUp, isComing } = phase
  let id = ''
  try {
    const { orderId = quiet(() => properties.order_id), eventId: own, user, eventTime, testEventCode, ...rest } = options ?? {}
    const isOthers = isReserved(own) && ![event, alias(event)].some((name) => name && eventId(name, orderId) == own)
    id = eventId(event, orderId, isOthers ? '' : own)
    if (!isUp && !isComing) {
      settle(number, id, 'off')
      return { eventId: id, delivery }
    }
    const mistake = (code, field) => emit('error', { code, eventId: id, field })
    const invalid = (rule, field) => {
      mistake(rule, field)
      settle(number, id, 'invalid', { errors: [{ field, rule }] })
    }
    if (own != null && id != own) mistake('event_id', 'eventId')
    const order = plainOrder(orderId)
    if (!order && orderId != null && orderId !== '') mistake('order_id', 'properties.order_id')
    const copy =
      copyOf(properties ?? {}, (name, rule = 'property') => mistake(rule, 'properties.' + name)) || (mistake('object', 'properties'), {})
    const asked = wanted.pixel && rest.pixel !== false
    // If a page reports an event before the page is shown, the event gets the time at which the page is shown.
    const time = eventTime == null && ofDocument('prerendering') ? undefined : seconds(eventTime)
    const page = { url: here().slice(0, 2048), referrer: ofDocument('referrer').slice(0, 2048) || undefined }
    /** Returns the event as the settings of `init()` require. `about` are members of the event's `user`. */
    const whole = (config, about) => ({
      event,
      event_id: id,
      event_time: time ?? seconds(),
      consent: 'granted',
      limited_data_use: rest.limitedDataUse === true || navigator.globalPrivacyControl || undefined,
      page,
      properties: complete(copy, config?.currency, orderId),
      test_event_code: testEventCode || undefined,
      user: { locale: navigator.language || undefined, ...about },
    })
    const who = userFields(user)
    const stated = { ...whole(settings, members(who)), event_id: own }
    emit('call', stated)
    const isTooLarge = new TextEncoder().encode(toJson(stated)).length > MOST_BYTES
    const attempt = () => {
      drop(attempt)
      const rule = brokenBy(event)
      if (rule) invalid(rule, 'event')
      else if (gate == 'denied') settle(number, id, 'consent')
      else if (gate == 'held') hold(attempt)
      else out()
    }
    const out = () => {
      const keys = digestsOf(who)
      const mark = order && PREFIX + 'o:' + ofOrder(canonical(event), order)
      const legs = unfired(mark, (asked && pixels[0] != null && PIXEL_LEG) | (wanted.server && SERVER_LEG))
      // The module has stopped while it read the data of this event, so hold the event. It is then sent without the module.
      if (!phase.isUp) return hold(attempt)
      const body = whole(settings, { ...members(keys), ttclid: ttclid || undefined })
      if (legs & SERVER_LEG) {
        for (const copy of forProxy(body)) add(number, !asked, mark, copy)
      } else {
        settle(number, id, wanted.server ? 'duplicate' : 'off')
      }
      if (legs & PIXEL_LEG) report(event, { ...forPixel(copy), order_id: order || undefined }, id, keys)
    }
    attempt.number = number
    attempt.id = id
    // Without the module, nothing can be hashed. So `about` is only the remembered data about the visitor.
    attempt.early = wanted.server && ((config, about) => forProxy(whole(config, about)).map((copy) => [!asked, '', copy]))
    if (isTooLarge) invalid('too_large', 'properties')
    else if (isUp) attempt()
    else hold(attempt)
  } catch (error) {
    emit('error', { code: 'call', message: error + '' })
    settle(number, (id ||= eventId()), 'dropped')
  }
  settleInTime(number, id)
  return { eventId: id, delivery }
}
