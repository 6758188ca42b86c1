// One call of a `track…` function: the event as the page knows it.

import { core } from './core.js'
import { drop } from './early.js'
import { gate } from './effects.js'
import { hold } from './held.js'
import { PREFIX, quiet, read, write } from './host.js'
import { eventId, hex, isReserved } from './ids.js'
import { toJson } from './json.js'
import { emit, settle, settleInTime, ticket } from './listeners.js'
import { alias, brokenBy, canonical } from './names.js'
import { add } from './outbox.js'
import { phase } from './phase.js'
import { plainOrder } from './plain.js'
import { settings } from './requests.js'
import { pixels, report } from './ttq.js'
import { digestsOf, members, ttclid } from './visitor.js'

// The proxy takes no more of one event, and no browser lets more outlive its page.
const MOST_BYTES = 60_000

export const userFields = (user) => [user?.email, user?.phone, user?.externalId ?? user?.userId]

/** A `Date`, seconds or nothing, in seconds. */
export const seconds = (time) => {
  const number = +(time ?? NaN)
  // Milliseconds, as a Date gives them, are a thousand times too large for seconds.
  return Math.floor(number > 1e11 ? number / 1000 : isFinite(number) ? number : Date.now() / 1000)
}

// The page may change what it handed in before the event goes out.
const snapshot = (properties, leftOut) => {
  const text = toJson(properties ?? {}, leftOut)
  if (text[0] != '{') throw 'properties is not an object'
  return JSON.parse(text)
}

/**
 * The properties both legs report: the caller's, with the currency where it is missing and known, and the order that the
 * event's id is derived from: the proxy rejects an id that is another order's.
 */
export const complete = (properties, currency, orderId) => {
  if (currency && properties.value != null) properties.currency ??= currency
  if (orderId) properties.order_id = plainOrder(orderId)
  return properties
}

/** The legs that are still to be fired, of those that are wanted; what is fired is marked. */
const unfired = (mark, wanted) => {
  if (!mark) return wanted
  const now = Date.now()
  const [at, fired] = read(mark).split(' ')
  const before = core(BELIEVED, +(fired ?? 0), +at, now)
  if (phase.isUp) write(mark, now + ' ' + (wanted | before), true)
  return wanted & ~before
}

const derive = (event, order) => core(ID, event, order)

/** `wanted`: the legs it is for, `pixel` and `server`. */
export const fire = (wanted, event, properties, options) => {
  const { number, delivery } = ticket(event)
  const { isUp, isComing } = phase
  let id = ''
  try {
    const { orderId = properties?.order_id, eventId: own, user, eventTime, testEventCode, ...rest } = options ?? {}
    const ofName = (name, own) => eventId(name, orderId, own, isUp ? derive : undefined)
    const isOthers = isReserved(own) && ![event, alias(event)].some((name) => name && ofName(name) == own)
    id = ofName(event, isOthers ? '' : own)
    const mistake = (code, field) => emit('error', { code, eventId: id, field })
    const invalid = (rule, field) => {
      mistake(rule, field)
      settle(number, id, 'invalid', { errors: [{ field, rule }] })
    }
    if (own != null && id != own) mistake('event_id', 'eventId')
    const copy = snapshot(properties, (name) => mistake('number', 'properties.' + name))
    const asked = wanted.pixel && rest.pixel !== false
    // What a page reports before it is shown happens when it is.
    const time = eventTime == null && document.prerendering ? undefined : seconds(eventTime)
    const made = {
      event,
      consent: 'granted',
      page: { url: location.href.slice(0, 2048), referrer: document.referrer.slice(0, 2048) || undefined },
      test_event_code: testEventCode || undefined,
    }
    const who = userFields(user)
    const stated = complete({ ...copy }, '', orderId)
    const called = { ...made, event_id: own, event_time: time ?? seconds(), properties: stated, user: members(who) }
    emit('call', called)
    const isTooLarge = new TextEncoder().encode(toJson(called)).length > MOST_BYTES
    const name = event + ''
    const order = plainOrder(orderId ?? '')
    const attempt = () => {
      drop(attempt)
      const rule = brokenBy(name)
      if (rule) invalid(rule, 'event')
      else if (gate == 'denied') settle(number, id, 'consent')
      else if (gate == 'held') hold(attempt)
      else out()
    }
    const whole = (config, about) => ({
      ...made,
      event_id: id,
      event_time: time ?? seconds(),
      properties: complete(copy, config?.currency, orderId),
      limited_data_use: rest.limitedDataUse === true || navigator.globalPrivacyControl || undefined,
      user: { locale: navigator.language || undefined, ...about },
    })
    const out = () => {
      const keys = digestsOf(who)
      const mark = order && PREFIX + 'o:' + hex(derive(canonical(name), order) ?? [])
      const legs = unfired(mark, (asked && pixels[0] != null && PIXEL_LEG) | (wanted.server && SERVER_LEG))
      // The module has stopped over this very event, which then is one of those without it.
      if (!phase.isUp) return hold(attempt)
      const body = whole(settings, { ...members(keys), ttclid: ttclid || undefined })
      if (legs & SERVER_LEG) {
        for (const pixel_id of pixels[1] ? pixels : [undefined]) {
          add(number, !asked, mark, { ...body, pixel_id })
        }
      } else {
        settle(number, id, wanted.server ? 'duplicate' : 'off')
      }
      if (legs & PIXEL_LEG) report(event, copy, id, keys)
    }
    attempt.number = number
    attempt.id = id
    // Without the module nobody can say who it is about: `about` is what is remembered.
    attempt.early = wanted.server && ((config, about) => [!asked, '', whole(config, about)])
    if (isTooLarge) invalid('too_large', 'properties')
    else if (isUp) attempt()
    else if (isComing) hold(attempt)
    else settle(number, id, 'off')
  } catch (error) {
    emit('error', { code: 'call', message: `${event} was not reported: ${error}` })
    settle(number, (id ||= eventId()), isUp || isComing ? 'dropped' : 'off')
  }
  settleInTime(number, id)
  return { eventId: id, delivery }
}
