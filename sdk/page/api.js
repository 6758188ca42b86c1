// Every public call by its name. What is behind them, a page or a server, is found at the call.

let find

export const use = (finder) => {
  find = finder
}

export const init = (config) => find().init(config)
export const identify = (user) => find().identify(user)
export const reset = () => find().reset()
export const setConsent = (consent) => find().setConsent(consent)
export const page = () => find().page()
export const eventIdFor = (event, orderId) => find().eventIdFor(event, orderId)
export const watchOrder = (orderId, options) => find().watchOrder(orderId, options)
export const flush = () => find().flush()
export const pending = () => find().pending()
export const on = (kind, listener) => find().on(kind, listener)

export const trackDualEvent = (event, properties, options) => find().fire(true, true, event, properties, options)
export const trackPixelEvent = (event, properties, options) => find().fire(true, false, event, properties, options)
export const trackServerEvent = (event, properties, options) => find().fire(false, true, event, properties, options)

// The former call forms: a user in the place of the options, one object in the place of everything,
// plain values in the place of the fields.

export const trackTikTokDualEvent = (event, properties, options, testEventCode) =>
  trackDualEvent(event, properties, isUser(options) ? { user: options, testEventCode } : options)

export const trackTikTokServerEvent = (event, properties, options) =>
  event && typeof event === 'object'
    ? trackServerEvent(event.event, event.properties, { user: event.user, testEventCode: event.test_event_code })
    : trackServerEvent(event, properties, options)

const isUser = (options) =>
  !!options && ['email', 'phone', 'userId', 'externalId'].some((key) => options[key] !== undefined)

const convenience =
  (event, ...names) =>
  (fields, ...rest) => {
    if (fields && typeof fields === 'object') return find().fireFields(event, fields, rest[0])
    const values = [fields, ...rest]
    const named = Object.fromEntries(names.map((name, at) => [name, values[at]]))
    return find().fireFields(event, named, { user: values[names.length] })
  }

export const trackServerViewContent = convenience('ViewContent', 'contentId', 'contentName', 'value')
export const trackServerSearch = convenience('Search', 'query')
export const trackServerClickButton = convenience('ClickButton', 'contentName')
export const trackServerAddToCart = convenience('AddToCart', 'contentId', 'contentName', 'value')
export const trackServerInitiateCheckout = convenience('InitiateCheckout', 'planId', 'planName', 'value')
export const trackServerAddPaymentInfo = convenience('AddPaymentInfo', 'planId', 'planName', 'value')
export const trackServerCompleteRegistration = convenience('CompleteRegistration', 'contentName')
export const trackServerStartTrial = convenience('StartTrial', 'planId', 'planName', 'value')
export const trackServerSubscribe = convenience('Subscribe', 'planId', 'planName', 'value', 'billingCycle')
export const trackServerCompletePayment = convenience('CompletePayment', 'orderId', 'value', 'planName')
export const trackServerPurchase = convenience('Purchase', 'orderId', 'value', 'planName')
