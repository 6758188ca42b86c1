// The calls where there is no page: in Node, an edge runtime, a worker, a test or server rendering. Every call only returns an
// id.

import { eventId } from './ids.js'
import { sha256 } from './sha256.js'

let calls = 0

// These ids are never sent, and only have to differ from each other. They contain no random number and no time, because Next.js
// stops a build that uses these while it prerenders a page.
const unlike = () => {
  const { performance } = globalThis
  return sha256([performance?.timeOrigin, performance?.now(), ++calls].join())
}

const fire = (_legs, event, properties, options) => {
  const id = eventId(event, options?.orderId ?? properties?.order_id, options?.eventId, unlike)
  return { eventId: id, delivery: Promise.resolve({ event, eventId: id, status: 'off' }) }
}

export const duet = {
  init: async () => {},
  identify() {},
  reset() {},
  setConsent() {},
  page() {},
  eventIdFor: (event, orderId) => eventId(event, orderId),
  watchOrder: () => () => {},
  flush: async () => {},
  pending: () => 0,
  on: () => () => {},
  fire,
  fireFields: (event, fields, options) => fire({}, event, { order_id: fields.orderId }, options),
}
