// Where there is no page (Node, an edge runtime, rendering on a server) every call does nothing, and
// still answers with an id.

import { eventId } from './ids.js'

const fire = (_legs, event, properties, options) => {
  const id = eventId(event, options?.orderId ?? properties?.order_id, options?.eventId)
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
