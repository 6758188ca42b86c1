// How the package is used, and how it cannot be. Compiled by `tsc --strict`, never run.

import {
  type Delivery,
  eventIdFor,
  flush,
  identify,
  init,
  on,
  page,
  pending,
  reset,
  setConsent,
  trackDualEvent,
  trackPixelEvent,
  trackServerClickButton,
  trackServerCompletePayment,
  trackServerEvent,
  trackServerInitiateCheckout,
  trackServerSearch,
  trackServerSubscribe,
  trackServerViewContent,
  trackTikTokDualEvent,
  trackTikTokServerEvent,
  watchOrder,
} from 'duet-sdk'

const started: Promise<void> = init({ pixelId: 'C4ABCDEFGHIJ0123456789', currency: 'VND', getToken: async () => null })
init({ pixelId: 'C4ABCDEFGHIJ0123456789', pixel: 'existing', consent: 'pending', credentials: 'include' })
// @ts-expect-error a pixel id is needed
init({})
// What an environment variable is to a type checker.
declare const variable: string | undefined
init({ pixelId: variable, endpoint: variable, country: undefined })
// @ts-expect-error no such consent
init({ pixelId: 'C4ABCDEFGHIJ0123456789', consent: 'yes' })
// @ts-expect-error a misspelt setting
init({ pixelId: 'C4ABCDEFGHIJ0123456789', endPoint: '/track' })

identify({ email: 'an@example.com', phone: 84901234567, externalId: null })
identify({ userId: 42 })
identify(undefined)
identify(null)
identify({ email: variable, phone: undefined, externalId: variable })
// @ts-expect-error no such key
identify({ mail: 'an@example.com' })
reset()
setConsent('denied')
page()

const { eventId, delivery } = trackDualEvent('AddToCart', { contents: [{ content_id: 'a', quantity: 2 }], value: 10 })
const id: string = eventId
delivery.then(({ status, errors }: Delivery) => status === 'invalid' && errors?.[0]?.message)
trackDualEvent('Purchase', { value: 99000, order_id: 'A1' }, { eventTime: new Date(), limitedDataUse: true })
trackDualEvent('my_event', { anything: ['goes'] })
trackPixelEvent('Search')
trackServerEvent('Lead', {}, { orderId: 7, user: { email: 'an@example.com' }, pixel: false })
// @ts-expect-error a purchase has a value
trackDualEvent('Purchase', { currency: 'VND' })
// @ts-expect-error a value is a number
trackDualEvent('AddToCart', { value: '99.000' })
// @ts-expect-error a content has TikTok's names
trackDualEvent('AddToCart', { contents: [{ id: 'a' }] })
// @ts-expect-error an option that does not exist
trackDualEvent('AddToCart', {}, { event_id: 'a' })
// @ts-expect-error an id is there at once, not later
eventId.then()

trackServerViewContent({ contentId: 'starter', contentName: 'Starter', value: 99000, category: 'plan', brand: 'Duet' })
trackServerSearch({ query: 'phở' })
trackServerClickButton()
trackServerInitiateCheckout({ planId: 'starter', planName: 'Starter', value: 99000 })
trackServerSubscribe({ planId: 'starter', planName: 'Starter', value: 99000, billingCycle: 'monthly', orderId: 'A1' })
trackServerCompletePayment({ orderId: 'A1', value: 99000, planName: 'Starter' })
// @ts-expect-error a payment belongs to an order
trackServerCompletePayment({ value: 99000 })

// The call forms of the functions this package replaces.
trackTikTokDualEvent('Subscribe', { value: 1 }, { email: 'an@example.com', userId: 'user_1' }, 'TEST1')
trackTikTokServerEvent({ event: 'Search', properties: {}, user: { phone: '0901' }, test_event_code: 'TEST1' })
trackServerViewContent('starter', 'Starter', 99000, { userId: 'user_1' })
trackServerSubscribe('starter', 'Starter', 99000, 'monthly', { userId: 'user_1' })
trackServerCompletePayment('A1', 99000, 'Starter', { userId: 'user_1' })
trackServerInitiateCheckout('starter', 'Starter', 99000)

const ordered: string = eventIdFor('CompletePayment', 'A1')
const stop: () => void = watchOrder('A1', { onPaid: () => stop(), properties: { value: 99000 } })
const sent: Promise<void> = flush()
const waiting: number = pending()
const silence: () => void = on('pixel', ({ state }) => state === 'blocked')
on('error', ({ code, field }) => console.log(code, field))
// @ts-expect-error nothing of that name happens
on('sent', () => {})

export { id, ordered, sent, silence, started, waiting }
