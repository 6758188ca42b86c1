// Event ids. They are made here and not by the module, since a call answers with one at once, before the module has come and
// where there is none. The rules are those of the `duet-events` crate, and the same vectors hold them.

import { nothing, plainOrder } from './plain.js'
import { sha256 } from './sha256.js'

/** The caller's own id if it is one, else the order's, else one of the bytes that `random` gives. */
export const eventId = (event, orderId, own, random = randomBytes) => {
  if (/^[\w.:-]{1,64}$/.test(own) && !nothing.test(own)) return own + ''
  const order = plainOrder(orderId)
  return order ? ofOrder(event, order) : uuid(random(), 0x40)
}

/** Whether an id has the form of an order's, which no other event may have. */
export const isReserved = (id) => /^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/.test(id)

export const randomBytes = () => {
  const bytes = new Uint8Array(16).map(() => Math.random() * 256)
  // Some pages and some old runtimes have no `crypto`; an id need not be a secret.
  return globalThis.crypto?.getRandomValues(bytes) ?? bytes
}

export const hex = (bytes) =>
  bytes.toHex?.() ?? bytes.reduce((text, byte) => text + (byte + 256).toString(16).slice(1), '')

/** SHA-256 of `duet/1|<event>|<order_id>`, as a version-8 UUID. */
export const ofOrder = (event, order) => uuid(sha256(`duet/1|${(event + '').trim()}|${order}`), 0x80)

// The first 16 bytes.
const uuid = (bytes, version) => {
  bytes[6] = (bytes[6] & 15) | version
  bytes[8] = (bytes[8] & 63) | 128
  return hex(bytes).slice(0, 32).replace(/^.{8}|.{4}(?=.{12,20}$)/g, '$&-')
}
