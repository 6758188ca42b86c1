// The public calls by name. The build chooses their implementation: for a page, or for a server.

import { duet } from 'surroundings'

export const { init, identify, reset, setConsent, page, eventIdFor, watchOrder, flush, pending, on } = duet
const { fire, fireFields } = duet

export const trackDualEvent = (...call) => fire({ pixel: true, server: true }, ...call)
export const trackPixelEvent = (...call) => fire({ pixel: true }, ...call)
export const trackServerEvent = (...call) => fire({ server: true }, ...call)

// Older forms of the calls are accepted too: a user instead of the options, one object instead of all arguments, plain values
// instead of the fields.

export const trackTikTokDualEvent = (event, properties, options, testEventCode) =>
  trackDualEvent(event, properties, isUser(options) ? { user: options, testEventCode } : options)

export const trackTikTokServerEvent = (event, properties, options) =>
  event?.event
    ? trackServerEvent(event.event, event.properties, { user: event.user, testEventCode: event.test_event_code })
    : trackServerEvent(event, properties, options)

const isUser = (options) => options && ['email', 'phone', 'userId', 'externalId'].some((key) => options[key] != null)

const convenience =
  (event, ...names) =>
  (...values) =>
    values[0] && typeof values[0] == 'object'
      ? fireFields(event, ...values)
      : fireFields(event, Object.fromEntries(names.map((name, at) => [name, values[at]])), { user: values[names.length] })

const [idNameValue, planNameValue] = ['content', 'plan'].map((what) => [what + 'Id', what + 'Name', 'value'])

export const trackServerViewContent = convenience('ViewContent', ...idNameValue)
export const trackServerSearch = convenience('Search', 'query')
export const trackServerClickButton = convenience('ClickButton', 'contentName')
export const trackServerAddToCart = convenience('AddToCart', ...idNameValue)
export const trackServerInitiateCheckout = convenience('InitiateCheckout', ...planNameValue)
export const trackServerAddPaymentInfo = convenience('AddPaymentInfo', ...planNameValue)
export const trackServerCompleteRegistration = convenience('CompleteRegistration', 'contentName')
export const trackServerStartTrial = convenience('StartTrial', ...planNameValue)
export const trackServerSubscribe = convenience('Subscribe', ...planNameValue, 'billingCycle')
export const trackServerCompletePayment = convenience('CompletePayment', 'orderId', 'value', 'planName')
export const trackServerPurchase = convenience('Purchase', 'orderId', 'value', 'planName')
