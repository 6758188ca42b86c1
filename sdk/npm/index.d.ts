/**
 * duet-sdk: one call fires the TikTok Pixel and sends the same event, under the same `event_id`, through your own
 * proxy to TikTok's Events API.
 *
 * ```js
 * import { init, trackDualEvent } from 'duet-sdk'
 *
 * init({ pixelId: 'C4ABCDEFGHIJ0123456789', currency: 'VND', country: 'VN' })
 * trackDualEvent('ViewContent', { contents: [{ content_id: 'starter' }], value: 99000 })
 * ```
 *
 * No call throws an exception or blocks the page, and you need not `await` a call. If you make calls before `init()`, Duet
 * keeps them and carries them out after `init()`. On a server a call does nothing and still returns an event id.
 */

// --- Starting ------------------------------------------------------------------------------------

/** The settings of `init()`. Only `pixelId` is required. */
export interface Config {
  /**
   * The pixel's code from TikTok's Events Manager: 10 to 40 of `A-Z` and `0-9`. The code can be missing, for example if a
   * build variable is not set. Then Duet emits an `error` event and sends events only through the proxy.
   */
  pixelId: string | undefined
  /** The address of the proxy for events. Default: `/api/analytics/tiktok/track` on this site. */
  endpoint?: string | undefined
  /**
   * The currency of events that have a `value` but no currency: three capital letters, such as `VND`. Default: none.
   * Duet never guesses a currency.
   */
  currency?: string | undefined
  /**
   * The country of phone numbers without a country code: two letters, such as `VN`. Default: none. Without a country, Duet
   * emits an `error` event for a number without a country code, and leaves the number out.
   */
  country?: string | undefined
  /** The visitor's present choice, see {@link setConsent}. Default: `granted`. */
  consent?: Consent | undefined
  /**
   * Which Pixel Duet uses. `load` (default): if the page does not have TikTok's base code yet, Duet inserts it. `existing`:
   * Duet uses only the Pixel that the page already has, and inserts no base code. `off`: Duet uses no Pixel, and sends
   * events only through the proxy.
   */
  pixel?: 'load' | 'existing' | 'off' | undefined
  /** The address of the Pixel's script. Default: `https://analytics.tiktok.com/i18n/pixel/events.js`. */
  pixelScriptUrl?: string | undefined
  /**
   * Whether the Pixel itself reports a page view when the address changes without a page load. Default: `false`. With
   * `false`, call {@link page} for each new page. With `true`, {@link page} does nothing.
   */
  autoPage?: boolean | undefined
  /**
   * Whether requests to the proxy include cookies, as in `fetch`. Default: `same-origin`. Use `include` for a proxy
   * on another origin that reads this site's session.
   */
  credentials?: RequestCredentials | undefined
  /**
   * Returns a bearer token for a proxy on another origin. Duet calls this function before each request. If the function
   * returns a token, the browser first sends a preflight request to the proxy's origin.
   */
  getToken?: (() => string | null | undefined | Promise<string | null | undefined>) | undefined
  /** The nonce of your Content-Security-Policy, for the Pixel's script. */
  nonce?: string | undefined
  /**
   * Whether Duet checks every call by the proxy's own rules, and logs the results on the console. With `true`, Duet loads a
   * second module of 160 KB, which needs Firefox 113 or Safari 16.4. Default: `false`.
   */
  debug?: boolean | undefined
}

/**
 * Starts Duet, once per page. A second call with the same pixel does nothing. A call with another pixel adds this pixel.
 * Duet then sends each event to every added pixel, with the same `eventId`, and `delivery` is the proxy's first answer for
 * the event. You can make other calls immediately after `init()`. Duet reads its stored data and starts the Pixel after the
 * current task of the page, or earlier if a call needs one of the two. After this work, the promise is fulfilled. The
 * promise is never rejected.
 */
export function init(config: Config): Promise<void>

// --- The visitor ---------------------------------------------------------------------------------

/**
 * The data by which TikTok can recognise a person. Give each value as you have it, in clear text or already hashed
 * (64 hex digits). Duet sends and stores only SHA-256 digests.
 */
export interface User {
  /** E-mail address. Before hashing, Duet removes blanks around the address and changes it to lower case. */
  email?: string | null | undefined
  /**
   * Phone number, with or without country code, spaces and leading zeros; see {@link Config.country}. Before hashing, Duet
   * changes the number to the form E.164 (`+84901234567`).
   */
  phone?: string | number | null | undefined
  /** Your own id of this person. Before hashing, Duet removes blanks around the id, and keeps upper and lower case. */
  externalId?: string | number | null | undefined
  /** The former name of `externalId`. */
  userId?: string | number | null | undefined
}

/**
 * Stores the visitor's data for all later events, for 30 days on this browser. If a value is missing, Duet keeps the
 * value of an earlier call. But if `externalId` differs from the `externalId` of the earlier call, Duet forgets all
 * earlier values.
 */
export function identify(user: User | null | undefined): void

/** Forgets the visitor's data. Call this function when the visitor signs out. */
export function reset(): void

/** `granted`, `denied` or `pending` (no choice yet). */
export type Consent = 'granted' | 'denied' | 'pending'

/**
 * Sets the visitor's choice for the Pixel's copies and the proxy's copies of all events.
 *
 * - `pending`: events wait in this page's memory. Duet stores nothing, sends nothing, and does not load the
 *   Pixel's script.
 * - `granted`: Duet sends the waiting events, in the sequence in which they were called.
 * - `denied`: Duet drops the waiting events, and removes everything that it stored on this browser.
 */
export function setConsent(consent: Consent): void

// --- Reporting -----------------------------------------------------------------------------------

/**
 * Reports a page view to the Pixel. Call this function when the address of a single-page app has changed. A second call for
 * the same address does nothing. `init()` reports the first page.
 */
export function page(): void

/**
 * Reports an event through the Pixel and through the proxy. `eventId` is available immediately. `delivery` is fulfilled
 * later, with the proxy's answer.
 */
export function trackDualEvent<E extends EventName>(event: E, properties?: PropertiesOf<E>, options?: Options): Tracked

/** Reports an event only through the Pixel. */
export function trackPixelEvent<E extends EventName>(event: E, properties?: PropertiesOf<E>, options?: Options): Tracked

/** Reports an event only through the proxy. */
export function trackServerEvent<E extends EventName>(event: E, properties?: PropertiesOf<E>, options?: Options): Tracked

/** Settings of one event. */
export interface Options {
  /**
   * The order's id. Duet then derives the event's id from it, so that the copies from your server and from your payment
   * provider's webhook have the same event id. This browser reports the event only once for each name and order within 90
   * days, even if the page is loaded again. Duet sends the order's id as `properties.order_id`. Default: the value of
   * `properties.order_id`.
   */
  orderId?: string | number | undefined
  /**
   * Your own event id: 1 to 64 of `A-Z a-z 0-9 _ . : -`. If the id is a lower-case UUID of version 8, it must come
   * from {@link eventIdFor} for this event and this order. Otherwise Duet replaces the id and emits an `error` event.
   * Default: the id that is derived from the order, or without an order a random id.
   */
  eventId?: string | undefined
  /**
   * The person of this event, if this is not the person of {@link identify}. Duet takes missing values from the call of
   * {@link identify}.
   */
  user?: User | undefined
  /** With `false`, Duet sends the event only through the proxy. */
  pixel?: false | undefined
  /**
   * Asks TikTok to limit its use of this event. If the browser has Global Privacy Control on, Duet asks so for all
   * events.
   */
  limitedDataUse?: boolean | undefined
  /** The time of the event, if it is not now: a `Date`, or seconds since 1970. At most 7 days ago. */
  eventTime?: Date | number | undefined
  /** TikTok's test event code. The proxy accepts it only from callers with its server key. */
  testEventCode?: string | undefined
}

/** The immediate result of a call. */
export interface Tracked {
  /** The id of the event. The Pixel's copy and the proxy's copy have the same id. */
  readonly eventId: string
  /** The result of the proxy's copy. The promise is fulfilled within 12 seconds, and is never rejected. */
  readonly delivery: Promise<Delivery>
}

/** The result of the proxy's copy of an event. */
export interface Delivery {
  /**
   * - `accepted`: the proxy has stored the event on disk and will deliver it.
   * - `duplicate`: the event was reported before, by this browser or by another sender.
   * - `held`: the proxy stores the event until its order is paid.
   * - `invalid`: the event breaks a rule (see `errors`), so Duet does not send it again.
   * - `queued`: the event waits on this browser, and Duet will send it later. For example, the browser is offline, the
   *   proxy is down, or consent is pending.
   * - `dropped`: Duet will not send the event. The `error` event has the reason.
   * - `consent`: consent is denied, so Duet does not send the event.
   * - `off`: Duet sends no copy through the proxy, because the event is only for the Pixel, or because the code does not
   *   run in a browser.
   */
  status: 'accepted' | 'duplicate' | 'held' | 'invalid' | 'queued' | 'dropped' | 'consent' | 'off'
  eventId: string
  /** The event's name, as you called it. */
  event: string
  /** The rules that the event breaks. */
  errors?: Problem[]
  /** The fields that the proxy repaired or left out, or whose value is probably a mistake. */
  warnings?: Problem[]
}

/** A broken rule. */
export interface Problem {
  /** The path of the field, with dots: `properties.contents.0.content_id`. */
  field?: string
  /** The name of the rule, for programs. */
  rule?: string
  /** The rule as text, for people. Present if the proxy found the problem, or if {@link Config.debug} is on. */
  message?: string | undefined
}

// --- Event names and their properties ------------------------------------------------------------

/** The names that TikTok optimises for. */
export type StandardEventName =
  | 'AddPaymentInfo'
  | 'AddToCart'
  | 'AddToWishlist'
  | 'ApplicationApproval'
  | 'CompleteRegistration'
  | 'Contact'
  | 'CustomizeProduct'
  | 'Download'
  | 'FindLocation'
  | 'InitiateCheckout'
  | 'Lead'
  | 'Purchase'
  | 'Schedule'
  | 'Search'
  | 'StartTrial'
  | 'SubmitApplication'
  | 'Subscribe'
  | 'ViewContent'

/** Former names that TikTok still accepts. `CompletePayment` is now `Purchase`, `SubmitForm` is `Lead`. */
export type FormerEventName = 'ClickButton' | 'CompletePayment' | 'PlaceAnOrder' | 'SubmitForm'

/**
 * A standard event name or your own name: at most 50 letters, digits, `_` and `-`, starting with a letter. The Pixel and
 * the proxy send the name as you write it.
 */
export type EventName = StandardEventName | FormerEventName | (string & {})

/** One item that was viewed, put into a cart, or bought. */
export interface Content {
  /** The item's id in your catalogue. */
  content_id?: string | undefined
  content_type?: 'product' | 'product_group' | undefined
  content_name?: string | undefined
  content_category?: string | undefined
  brand?: string | undefined
  /** The price of one piece, in {@link Properties.currency}. */
  price?: number | undefined
  /** The number of pieces. */
  quantity?: number | undefined
}

/** The properties of an event, under TikTok's own names. You can add other properties, and Duet sends them too. */
export interface Properties {
  contents?: Content[] | undefined
  content_type?: 'product' | 'product_group' | undefined
  /** The value of the whole event, in `currency`. */
  value?: number | undefined
  /** Three capital letters. Default: {@link Config.currency}, if there is a `value`. */
  currency?: string | undefined
  /** The order's id, see {@link Options.orderId}. */
  order_id?: string | undefined
  /** The total number of items. */
  num_items?: number | undefined
  /** The text that the visitor searched for. */
  search_string?: string | undefined
  query?: string | undefined
  description?: string | undefined
  status?: string | undefined
  shop_id?: string | undefined
  [name: string]: unknown
}

/** A value and its currency. Without a value and a currency, TikTok cannot compute the revenue of an ad. */
export interface Valued extends Properties {
  value: number
}

/** The properties that TikTok recommends for each event. All other events accept any {@link Properties}. */
export interface RecommendedProperties {
  CompletePayment: Valued
  PlaceAnOrder: Valued
  Purchase: Valued
  Subscribe: Valued
}

/** The properties of an event. */
export type PropertiesOf<E extends EventName> = E extends keyof RecommendedProperties
  ? RecommendedProperties[E]
  : Properties

// --- Convenience calls ---------------------------------------------------------------------------

/** Plain fields. Duet puts each field into the property that TikTok reads. */
export interface Fields {
  /** The item's id in your catalogue. */
  contentId?: string | undefined
  contentName?: string | undefined
  /** A plan's id and name: the same as `contentId` and `contentName`. The id is also sent as `plan_id`. */
  planId?: string | undefined
  planName?: string | undefined
  /** The billing interval. Duet adds it to the plan's name, as in `Pro (monthly)`, and also sends it as `billing_cycle`. */
  billingCycle?: string | undefined
  category?: string | undefined
  brand?: string | undefined
  /** The price of one piece. */
  price?: number | undefined
  /** The number of pieces. Default: 1. */
  quantity?: number | undefined
  /** The value of the event. Default: `price` times `quantity`. */
  value?: number | undefined
  /** Default: {@link Config.currency}. */
  currency?: string | undefined
  /** See {@link Options.orderId}. */
  orderId?: string | undefined
  description?: string | undefined
}

/** The fields of a plan. */
export interface PlanFields extends Fields {
  planId: string
  planName: string
  value: number
}

/** The fields of a payment. */
export interface PaymentFields extends Fields {
  orderId: string
  value: number
}

/** The fields of a viewed item. */
export interface ContentFields extends Fields {
  contentId: string
  contentName?: string | undefined
}

// Each of these functions reports an event through the Pixel and through the proxy. With the option `{ pixel: false }`, it
// reports only through the proxy. Some functions also accept a list of plain values, as in the former Next.js code.

/** The visitor views an item. */
export function trackServerViewContent(fields: ContentFields, options?: Options): Tracked
export function trackServerViewContent(contentId: string, contentName: string, value?: number, user?: User): Tracked

/** The visitor searches. */
export function trackServerSearch(fields: Fields & { query: string }, options?: Options): Tracked

/** The visitor presses a button. */
export function trackServerClickButton(fields?: Fields, options?: Options): Tracked

/** The visitor puts an item into the cart. */
export function trackServerAddToCart(fields: ContentFields, options?: Options): Tracked

/** The visitor starts to pay. */
export function trackServerInitiateCheckout(fields: Fields, options?: Options): Tracked
export function trackServerInitiateCheckout(planId: string, planName: string, value: number, user?: User): Tracked

/** The visitor enters payment details. */
export function trackServerAddPaymentInfo(fields: Fields, options?: Options): Tracked

/** The visitor signs up. */
export function trackServerCompleteRegistration(fields?: Fields, options?: Options): Tracked

/** The visitor starts a trial. */
export function trackServerStartTrial(fields: Fields, options?: Options): Tracked

/** The visitor subscribes. */
export function trackServerSubscribe(fields: PlanFields, options?: Options): Tracked
export function trackServerSubscribe(
  planId: string,
  planName: string,
  value: number,
  billingCycle?: string,
  user?: User,
): Tracked

/** The visitor has paid. */
export function trackServerCompletePayment(fields: PaymentFields, options?: Options): Tracked
export function trackServerCompletePayment(orderId: string, value: number, planName?: string, user?: User): Tracked

/** The visitor has paid. Uses TikTok's current name of the event. */
export function trackServerPurchase(fields: PaymentFields, options?: Options): Tracked

/** The former name of {@link trackDualEvent}. Instead of the options, it also accepts a user and a test event code. */
export function trackTikTokDualEvent<E extends EventName>(
  event: E,
  properties?: Properties,
  options?: Options | User,
  testEventCode?: string,
): Tracked

/** The former name of {@link trackServerEvent}. It also accepts all arguments as one object. */
export function trackTikTokServerEvent(event: EventName, properties?: Properties, options?: Options): Tracked
export function trackTikTokServerEvent(event: {
  event: EventName
  properties?: Properties | undefined
  user?: User | undefined
  test_event_code?: string | undefined
}): Tracked

// --- Orders --------------------------------------------------------------------------------------

/**
 * Returns the event id that Duet derives from an event's name and an order's id. On this page, in a payment webhook and on
 * your server, the event has this same id. The id is the first 16 bytes of the SHA-256 of `duet/1|<event>|<order_id>`, as a
 * version-8 UUID.
 */
export function eventIdFor(event: EventName, orderId: string | number): string

/**
 * Asks the proxy for the order's status until the order is paid. Once the order is paid, reports `CompletePayment`, once
 * per order on this browser, and calls `onPaid`. If the proxy has already reported the payment, `CompletePayment` has the
 * event id of the proxy's report, so that TikTok counts the two as one. Otherwise its event id is derived from the order.
 * The waits between requests grow. While the page is hidden, no request is sent. Returns a function that stops the
 * requests.
 */
export function watchOrder(
  orderId: string | number,
  options?: {
    /** Called once when the order is paid, even if the payment was reported before. */
    onPaid?: (() => void) | undefined
    /** The first wait between two requests, in milliseconds. Default: 3,000; it grows to 30,000. */
    intervalMs?: number | undefined
    /** The time after which the requests stop, in milliseconds. Default: 1,800,000 (30 minutes). */
    timeoutMs?: number | undefined
    /** The properties of the `CompletePayment`. */
    properties?: Properties | undefined
    /** The person of the event, if it is not the person of {@link identify}. */
    user?: User | undefined
  },
): () => void

// --- Monitoring ----------------------------------------------------------------------------------

/**
 * Sends the waiting events now. If the proxy has asked for a pause, no event is sent before the pause is over. The
 * promise is fulfilled when the answers have arrived.
 */
export function flush(): Promise<void>

/**
 * Returns how many events on this browser the proxy has not accepted yet, including events of other tabs and of pages that
 * were left.
 */
export function pending(): number

/** A mistake or a lost event. If there is no listener, Duet logs it as a warning to the console. */
export interface DuetError {
  /**
   * A code for programs, or the name of a broken rule:
   *
   * - `config`, `invalid`, `full`, `expired`
   * - `too_large`: the event has more than 60 KB.
   * - `number`: a value such as `NaN` was left out.
   * - `property`: a property was left out, because it could not be read or JSON cannot represent it.
   * - `order_id`: the order id cannot be the id of an order (for example `undefined`), so the event's id is random.
   * - `object`: `properties` was left out, because it is not an object.
   * - `refused`: the proxy accepts no event from this page. Correct the proxy's address, or add the page's origin to the
   *   proxy.
   * - `core`: Duet's WebAssembly module has stopped because of an error.
   */
  code: string
  /** A text for people. The text never contains a personal value. */
  message: string
  field?: string
  eventId?: string
}

/** The state of the Pixel on this page. */
export interface PixelState {
  /**
   * `fired`: the Pixel's script runs. `blocked`: the Pixel's script did not load, or did nothing. `absent`: with
   * `pixel: 'existing'`, the page has no Pixel. `off`: with `pixel: 'off'`, Duet uses no Pixel.
   */
  state: 'fired' | 'blocked' | 'absent' | 'off'
}

/** Adds a listener. Returns a function that removes the listener. */
export function on(kind: 'delivery', listener: (delivery: Delivery) => void): () => void
export function on(kind: 'error', listener: (error: DuetError) => void): () => void
export function on(kind: 'pixel', listener: (pixel: PixelState) => void): () => void
