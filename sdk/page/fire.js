// One call of a `track…` function: the event as the page knows it.

import { TRACK, step } from './effects.js'
import { hold } from './held.js'
import { quiet } from './host.js'
import { eventId } from './ids.js'
import { emit, settle, settleInTime, ticket } from './listeners.js'
import { settings } from './requests.js'
import { pixels, report } from './ttq.js'

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

/** `isUp`: whether the module runs. `isComing`: whether it will, once it is fetched. */
export const fire = (isUp, isComing, pixel, server, event, properties, options) => {
  const { number, delivery } = ticket(event)
  let id = ''
  try {
    const { orderId = properties?.order_id, eventId: own, user, eventTime, testEventCode, ...rest } = options ?? {}
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
    const [email, phone, external_id] = who
    emit('call', { ...made, properties: copy, user: { email, phone, external_id } })
    const whole = (config) => ({
      ...made,
      properties: complete(copy, config?.currency, orderId),
      limited_data_use: rest.limitedDataUse === true || navigator.globalPrivacyControl || undefined,
      // Last, and still open: Rust adds who it is.
      user: { locale: navigator.language || undefined },
    })
    const attempt = () => {
      const legs = [asked && pixels.length, server, !asked, pixels[1] && pixels.join(' ')]
      const done = step(TRACK, [number, event, orderId, id || own, ...legs, JSON.stringify(whole(settings)).slice(0, -2), ...who])
      if (done.i) attempt.id = id = done.i[0]
      if (done.h) hold(attempt)
      if (done.x) report(event, copy, id, done.x)
    }
    attempt.number = number
    if (isUp) {
      attempt()
    } else if (isComing) {
      attempt.id = id = eventId(event, orderId, own)
      attempt.whole = server && whole
      hold(attempt)
    }
  } catch (error) {
    emit('error', { code: 'call', message: `${event} was not reported: ${error}` })
  }
  if (!id) {
    id = quiet(() => eventId(event, options?.orderId, options?.eventId)) ?? ''
    settle(number, id, isUp ? 'dropped' : 'off')
  }
  settleInTime(number, id)
  return { eventId: id, delivery }
}
