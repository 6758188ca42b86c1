// One call of a `track…` function: the event as the page knows it.

import { core } from './core.js'
import { gate } from './effects.js'
import { hold } from './held.js'
import { PREFIX, quiet, read, write } from './host.js'
import { eventId, hex } from './ids.js'
import { emit, settle, settleInTime, ticket } from './listeners.js'
import { brokenBy, canonical } from './names.js'
import { add } from './outbox.js'
import { settings } from './requests.js'
import { pixels, report } from './ttq.js'
import { digestsOf, members, ttclid } from './visitor.js'

// The legs, as once.rs numbers them.
const PIXEL = 1
const SERVER = 2

export const userFields = (user) => [user?.email, user?.phone, user?.externalId ?? user?.userId]

/** A `Date`, seconds or nothing, in seconds. */
export const seconds = (time) => {
  const number = +(time ?? NaN)
  // Milliseconds, as a Date gives them, are a thousand times too large for seconds.
  return Math.floor(number > 1e11 ? number / 1000 : isFinite(number) ? number : Date.now() / 1000)
}

// The page may change what it handed in before the event goes out.
const snapshot = (properties) => {
  const text = JSON.stringify(properties ?? {})
  if (text[0] != '{') throw 'properties is not an object'
  return JSON.parse(text)
}

/** The properties both legs report: the caller's, with the currency and the order where they are missing and known. */
export const complete = (properties, currency, orderId) => {
  if (currency && properties.value != null) properties.currency ??= currency
  if (orderId) properties.order_id ??= orderId + ''
  return properties
}

/** The legs that are still to be fired, of those that are wanted; what is fired is marked. */
const unfired = (mark, wanted) => {
  if (!mark) return wanted
  const now = Date.now()
  const [at, fired] = read(mark).split(' ')
  const legs = core(LEGS, wanted, +(fired ?? 0), +at, now)
  write(mark, now + ' ' + (legs >> 2))
  return legs & 3
}

const derive = (event, order) => core(ID, event, order)

/** `isUp`: whether the module runs. `isComing`: whether it will, once it is fetched. */
export const fire = (isUp, isComing, pixel, server, event, properties, options) => {
  const { number, delivery } = ticket(event)
  let id = ''
  try {
    const { orderId = properties?.order_id, eventId: own, user, eventTime, testEventCode, ...rest } = options ?? {}
    id = eventId(event, orderId, own, isUp && derive)
    if (own != null && id != own) emit('error', { code: 'event_id', eventId: id, field: 'eventId' })
    const copy = snapshot(properties)
    const asked = pixel && rest.pixel !== false
    const made = {
      event,
      consent: 'granted',
      event_time: seconds(eventTime),
      page: { url: location.href.slice(0, 2048), referrer: document.referrer.slice(0, 2048) || undefined },
      test_event_code: testEventCode || undefined,
    }
    const who = userFields(user)
    emit('call', { ...made, properties: copy, user: members(who) })
    const name = event + ''
    const order = (orderId ?? '') + ''
    const attempt = () => {
      const rule = brokenBy(name)
      if (rule) {
        emit('error', { code: rule, eventId: id, field: 'event' })
        settle(number, id, 'invalid', { errors: [{ field: 'event', rule }] })
      } else if (gate > 1) {
        settle(number, id, gate > 2 ? 'dropped' : 'consent')
      } else if (gate) {
        hold(attempt)
      } else {
        out()
      }
    }
    const whole = (config, about) => ({
      ...made,
      event_id: id,
      properties: complete(copy, config?.currency, orderId),
      limited_data_use: rest.limitedDataUse === true || navigator.globalPrivacyControl || undefined,
      user: { locale: navigator.language || undefined, ...about },
    })
    const out = () => {
      const keys = digestsOf(who)
      const mark = order && PREFIX + 'o:' + hex(derive(canonical(name), order))
      const legs = unfired(mark, (asked && pixels[0] != null && PIXEL) | (server && SERVER))
      const body = whole(settings, { ...members(keys), ttclid: ttclid || undefined })
      if (legs & SERVER) {
        for (const pixel_id of pixels[1] ? pixels : [undefined]) {
          add(number, !asked, mark, { ...body, pixel_id })
        }
      } else {
        settle(number, id, server ? 'duplicate' : 'off')
      }
      if (legs & PIXEL) report(event, copy, id, keys)
    }
    attempt.number = number
    attempt.id = id
    attempt.whole = server && whole
    if (isUp) attempt()
    else if (isComing) hold(attempt)
    else settle(number, id, 'off')
  } catch (error) {
    emit('error', { code: 'call', message: `${event} was not reported: ${error}` })
    settle(number, (id ||= eventId()), isUp || isComing ? 'dropped' : 'off')
  }
  settleInTime(number, id)
  return { eventId: id, delivery }
}
