// Makes event ids. Ids are made here and not in the module, because a call returns its id at once, also before the module is
// loaded and where there is no module. The rules are the same as in the `duet-events` crate, and the same test vectors check
// both implementations.

import { hasEmail } from './personal.js'
import { nothing, visible } from './plain.js'
import { sha256, utf8 } from './sha256.js'

/**
 * Returns the caller's own id if it is valid. Otherwise returns the id that is derived from the order. If there is no order,
 * returns an id from the bytes of `random`.
 */
export const eventId = (event, orderId, own, random = randomBytes) => {
  if (/^[\w.:-]{1,64}$/.test(own) && !nothing.test(own)) return own + ''
  const order = plainOrder(orderId)
  return order ? ofOrder(event, order) : uuid(random(), 0x40)
}

/** Normalises an order id. Returns an empty text if the text cannot name an order. */
export const plainOrder = (id) => {
  const text = /^(string|bigint)$/.test(typeof id) || Number.isSafeInteger(id) ? visible(id + '').trim() : ''
  return utf8(text).length > 128 || /\p{Cc}/u.test(text) || nothing.test(text) || hasEmail(text) ? '' : text
}

/** Returns whether an event id has the form of the ids that are derived from an order. This form is reserved for such ids. */
export const isReserved = (id) => /^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/.test(id)

export const randomBytes = () => {
  const bytes = new Uint8Array(16).map(() => Math.random() * 256)
  // Some pages and some old runtimes have no `crypto`. `Math.random` is enough, because an id does not need to be secret.
  return globalThis.crypto?.getRandomValues(bytes) ?? bytes
}

export const hex = (bytes) => bytes.reduce((text, byte) => text + (byte + 256).toString(16).slice(1), '')

/** Returns the SHA-256 of `duet/1|<event>|<order_id>` as a version-8 UUID. */
export const ofOrder = (event, order) => uuid(sha256(`duet/1|${(event + '').trim()}|${order}`), 0x80)

// Makes a UUID from the first 16 bytes.
const uuid = (bytes, version) => {
  bytes[6] = (bytes[6] & 15) | version
  bytes[8] = (bytes[8] & 63) | 128
  return hex(bytes).slice(0, 32).replace(/^.{8}|.{4}(?=.{12,20}$)/g, '$&-')
}
