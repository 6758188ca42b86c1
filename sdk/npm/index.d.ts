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
 * No call throws, no call blocks, and no call needs `await`. Calls before `init()` are kept and replayed. On a server
 * a call does nothing and still returns an event id.
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
   * The country of phone numbers without a country code: two letters, such as `VN`. Default: none. Then a number
   * without a country code is reported as an error and left out.
   */
  country?: string | undefined
  /** The visitor's current choice, see {@link setConsent}. Default: `granted`. */
  consent?: Consent | undefined
  /**
   * Which Pixel runs. `load` (default): Duet inserts TikTok's base code, unless the page already has it. `existing`:
   * Duet uses only the page's own Pixel and inserts nothing. `off`: no Pixel runs, and events go only through the
   * proxy.
   */
  pixel?: 'load' | 'existing' | 'off' | undefined
  /** The address of the Pixel's script. Default: `https://analytics.tiktok.com/i18n/pixel/events.js`. */
  pixelScriptUrl?: string | undefined
  /**
   * Whether the Pixel itself reports a page view when the address changes without a page load. Default: `false`; then
   * you call {@link page} for each new page. With `true`, {@link page} does nothing.
   */
  autoPage?: boolean | undefined
  /**
   * Whether requests to the proxy include cookies, as in `fetch`. Default: `same-origin`. Use `include` for a proxy
   * on another origin that reads this site's session.
   */
  credentials?: RequestCredentials | undefined
  /**
   * Returns a bearer token for a proxy on another origin. Duet calls it before each request. With a token, the
   * browser first sends a preflight request to that origin.
   */
  getToken?: (() => string | null | undefined | Promise<string | null | undefined>) | undefined
  /** The nonce of your Content-Security-Policy, for the Pixel's script. */
  nonce?: string | undefined
  /**
   * Whether Duet checks every call with the proxy's own rules and logs everything to the console. Loads a second
   * module of 160 KB, which needs Firefox 113 or Safari 16.4. Default: `false`.
   */
  debug?: boolean | undefined
}

/**
 * Starts Duet, once per page. A second call with the same pixel does nothing. A call with another pixel adds that pixel:
 * events then go to each of them with one `eventId`, and a delivery is that of the copy that is answered first. You can make
 * other calls immediately. Duet reads storage and starts the Pixel after the current task of the page, or when a
 * call needs them. Then the promise is fulfilled. The promise is never rejected.
 */
export function init(config: Config): Promise<void>

// --- The visitor ---------------------------------------------------------------------------------

/**
 * The data by which TikTok can recognise a person. Give each value as you have it, in clear text or already hashed
 * (64 hex digits). Duet sends and stores only SHA-256 digests.
 */
export interface User {
  /** E-mail address. Duet trims and lower-cases it before hashing. */
  email?: string | null | undefined
  /**
   * Phone number, with or without country code, spaces and leading zeros; see {@link Config.country}. Duet brings it
   * to E.164 before hashing.
   */
  phone?: string | number | null | undefined
  /** Your own id of this person. Duet trims it and keeps its case. */
  externalId?: string | number | null | undefined
  /** The former name of `externalId`. */
  userId?: string | number | null | undefined
}

/**
 * Remembers the visitor for this event and later events, and for 30 days on this browser. A missing value keeps its
 * earlier value, unless `externalId` names another person.
 */
export function identify(user: User | null | undefined): void

/** Forgets the visitor. Call it at logout. */
export function reset(): void

/** `granted`, `denied` or `pending` (no choice yet). */
export type Consent = 'granted' | 'denied' | 'pending'

/**
 * Sets the visitor's choice for both legs.
 *
 * - `pending`: events wait in this page's memory. Duet stores nothing, sends nothing, and does not request the
 *   Pixel's script.
 * - `granted`: waiting events are sent, in order.
 * - `denied`: waiting events are dropped, and Duet removes everything that it stored on this browser.
 */
export function setConsent(consent: Consent): void

// --- Reporting -----------------------------------------------------------------------------------

/**
 * Reports a page view to the Pixel. Call it when the address of a single-page app has changed. A second call for the
 * same address does nothing. `init()` reports the first page.
 */
export function page(): void

/**
 * Reports an event on both legs. `eventId` is available immediately; `delivery` is fulfilled later with the proxy's
 * answer.
 */
export function trackDualEvent<E extends EventName>(event: E, properties?: PropertiesOf<E>, options?: Options): Tracked

/** Reports an event only through the Pixel. */
export function trackPixelEvent<E extends EventName>(event: E, properties?: PropertiesOf<E>, options?: Options): Tracked

/** Reports an event only through the proxy. */
export function trackServerEvent<E extends EventName>(event: E, properties?: PropertiesOf<E>, options?: Options): Tracked

/** Settings of one event. */
export interface Options {
  /**
   * The order of this event. The event's id is then derived from the order, so your server and your payment
   * provider's webhook use the same id. This browser reports the event only once per name and order in 90 days, even
   * if the page is loaded again. The order is sent as `properties.order_id`, which is also the default of this
   * option.
   */
  orderId?: string | number | undefined
  /**
   * Your own event id: 1 to 64 of `A-Z a-z 0-9 _ . : -`. A lower-case UUID of version 8 is reserved: it must come
   * from {@link eventIdFor} for this event and this order. Otherwise Duet replaces the id and emits an `error` event.
   * Default: the id of the order, or a random id.
   */
  eventId?: string | undefined
  /**
   * The person of this event, if it is not the person of {@link identify}. Missing values are taken from {@link
   * identify}.
   */
  user?: User | undefined
  /** `false` does not send the event to the Pixel. */
  pixel?: false | undefined
  /** Asks TikTok to limit its use of this event. Global Privacy Control does so for all events. */
  limitedDataUse?: boolean | undefined
  /** The time of the event, if it is not now: a `Date`, or seconds since 1970. At most 7 days ago. */
  eventTime?: Date | number | undefined
  /** TikTok's test event code. The proxy accepts it only from callers with its server key. */
  testEventCode?: string | undefined
}

/** The immediate result of a call. */
export interface Tracked {
  /** The id that both legs send. */
  readonly eventId: string
  /** The result of the proxy's copy. The promise is never rejected and is settled within 12 seconds. */
  readonly delivery: Promise<Delivery>
}

/** The result of the proxy's copy of an event. */
export interface Delivery {
  /**
   * - `accepted`: the proxy has stored the event on disk and will deliver it.
   * - `duplicate`: the event was reported before, by this browser or by another sender.
   * - `held`: the proxy stores the event until its order is paid.
   * - `invalid`: the event breaks a rule (`errors`) and will not be sent again.
   * - `queued`: the event waits on this browser and will be sent. Reasons are an offline browser, a proxy that is down, or
   *   pending consent.
   * - `dropped`: Duet gave up; the `error` event has the reason.
   * - `consent`: consent is denied.
   * - `off`: there is no copy for the proxy. The event is for the Pixel alone, or there is no browser.
   */
  status: 'accepted' | 'duplicate' | 'held' | 'invalid' | 'queued' | 'dropped' | 'consent' | 'off'
  eventId: string
  /** The event's name, as you called it. */
  event: string
  /** The rules that the event breaks. */
  errors?: Problem[]
  /** Fields that the proxy repaired, left out or found odd. */
  warnings?: Problem[]
}

/** A broken rule. */
export interface Problem {
  /** The path of the field, with dots: `properties.contents.0.content_id`. */
  field?: string
  /** The name of the rule, for programs. */
  rule?: string
  /** The rule as text, for people. The text is set if the proxy found the problem or {@link Config.debug} is on. */
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
 * A standard event name or your own name: at most 50 letters, digits, `_` and `-`, starting with a letter. Both legs
 * send the name as you write it.
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
  /** Appended to the plan's name, as in `Pro (monthly)`. The interval is also sent as `billing_cycle`. */
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

// Each of these functions reports on both legs; `{ pixel: false }` does not send the event to the Pixel. The second call
// forms have plain values. They are the forms of the functions that Duet replaces.

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

/** Does what {@link trackDualEvent} does. The function also accepts a user and a test event code in place of the options. */
export function trackTikTokDualEvent<E extends EventName>(
  event: E,
  properties?: Properties,
  options?: Options | User,
  testEventCode?: string,
): Tracked

/** Does what {@link trackServerEvent} does. The function also accepts all arguments as one object. */
export function trackTikTokServerEvent(event: EventName, properties?: Properties, options?: Options): Tracked
export function trackTikTokServerEvent(event: {
  event: EventName
  properties?: Properties | undefined
  user?: User | undefined
  test_event_code?: string | undefined
}): Tracked

// --- Orders --------------------------------------------------------------------------------------

/**
 * Returns the id that an event of an order has everywhere: on this page, in a webhook and on your server. The id is
 * the first 16 bytes of the SHA-256 of `duet/1|<event>|<order_id>`, as a version-8 UUID.
 */
export function eventIdFor(event: EventName, orderId: string | number): string

/**
 * Asks the proxy for the order's status until the order is paid. Then reports `CompletePayment`, once per order on this
 * browser, and calls `onPaid`. If the proxy has already reported the payment, the event has the id of that report, so both
 * count as one. Otherwise the event has the order's own id. The waits between requests grow, and no request is sent while
 * the page is hidden. Returns a function that stops the requests.
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
 * Sends the waiting events now, unless the proxy asked for a pause. The promise is fulfilled when the answers have
 * arrived.
 */
export function flush(): Promise<void>

/**
 * Returns the number of events on this browser that wait for the proxy, including events of other tabs and earlier
 * pages.
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
   * - `order_id`: the order id names no order, so the event's id is random.
   * - `object`: `properties` was left out, because it is not an object.
   * - `refused`: no event arrives until a person corrects the address or the origin.
   * - `core`: the module has stopped.
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
   * `fired`: its script runs. `blocked`: its script did not load, or did nothing. `absent`: the page should have its own
   * Pixel, but has no Pixel. `off`: the Pixel is switched off.
   */
  state: 'fired' | 'blocked' | 'absent' | 'off'
}

/** Adds a listener. Returns a function that removes the listener. */
export function on(kind: 'delivery', listener: (delivery: Delivery) => void): () => void
export function on(kind: 'error', listener: (error: DuetError) => void): () => void
export function on(kind: 'pixel', listener: (pixel: PixelState) => void): () => void
