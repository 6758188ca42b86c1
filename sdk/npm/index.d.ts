/**
 * duet-sdk: one call fires the TikTok Pixel and reports the same event, under the same `event_id`,
 * through your own proxy to TikTok's Events API.
 *
 * ```js
 * import { init, trackDualEvent } from 'duet-sdk'
 *
 * init({ pixelId: 'C4ABCDEFGHIJ0123456789', currency: 'VND', country: 'VN' })
 * trackDualEvent('ViewContent', { contents: [{ content_id: 'starter' }], value: 99000 })
 * ```
 *
 * No call throws, none blocks, none needs `await`. Calls before `init()` are kept and replayed. On a
 * server every call does nothing and still answers with an id.
 */

// --- Starting ------------------------------------------------------------------------------------

/** What `init()` takes. Only `pixelId` is needed. */
export interface Config {
  /**
   * The pixel's code from TikTok's Events Manager: 10 to 40 of `A-Z` and `0-9`. Without it (a build whose variable
   * is not set) an `error` event says so, and events go through the proxy alone.
   */
  pixelId: string | undefined
  /** Where the proxy takes events. Default: `/api/analytics/tiktok/track` on this site. */
  endpoint?: string | undefined
  /**
   * The currency of events that carry a `value` and none of their own: three capital letters, such as
   * `VND`. Default: none, for no currency is ever guessed.
   */
  currency?: string | undefined
  /**
   * The country of phone numbers that are written without a country code: two letters, such as `VN`.
   * Default: none; such a number is then reported as an error and left out.
   */
  country?: string | undefined
  /** The visitor's choice so far, see {@link setConsent}. Default: `granted`. */
  consent?: Consent | undefined
  /**
   * Whose Pixel runs. `load` (default): TikTok's base code is put in place, unless this page has it
   * already. `existing`: only the page's own, nothing is inserted. `off`: none; events go through the
   * proxy alone.
   */
  pixel?: 'load' | 'existing' | 'off' | undefined
  /** Where the Pixel's script comes from. Default: `https://analytics.tiktok.com/i18n/pixel/events.js`. */
  pixelScriptUrl?: string | undefined
  /**
   * Whether the Pixel itself reports page views when the address changes without a load. Default:
   * `false`; {@link page} says when there is a new page. With it, {@link page} does nothing.
   */
  autoPage?: boolean | undefined
  /**
   * Whether cookies go with the requests to the proxy, as in `fetch`. Default: `same-origin`. Use
   * `include` for a proxy on another origin that reads this site's session.
   */
  credentials?: RequestCredentials | undefined
  /**
   * A bearer token for a proxy on another origin, asked for before each request. With it the browser
   * asks that origin for leave first (a preflight).
   */
  getToken?: (() => string | null | undefined | Promise<string | null | undefined>) | undefined
  /** The nonce of your Content-Security-Policy, for the Pixel's script. */
  nonce?: string | undefined
  /**
   * Whether to check every call with the proxy's own rules, and to tell everything on the console. Fetches a
   * second module of 160 KB, which needs Firefox 113 or Safari 16.4. Default: `false`.
   */
  debug?: boolean | undefined
}

/**
 * Starts Duet, once per page: a second call with the same pixel does nothing, with another pixel adds
 * it. Calls may follow at once. The first look at storage and the start of the Pixel wait until the page's
 * task is over, or until a call needs them; the promise is fulfilled after that, and never rejected.
 */
export function init(config: Config): Promise<void>

// --- Who is here ---------------------------------------------------------------------------------

/**
 * By what TikTok may recognise a person. Plain or already hashed (64 hex digits), as you have it: what
 * leaves this page, and what it remembers, are SHA-256 digests.
 */
export interface User {
  /** E-mail address. Trimmed and lower-cased before it is hashed. */
  email?: string | null | undefined
  /**
   * Phone number, with or without country code, spaces and leading zeros; see {@link Config.country}.
   * Brought to E.164 before it is hashed.
   */
  phone?: string | number | null | undefined
  /** Your own id of this person. Trimmed; its case counts. */
  externalId?: string | number | null | undefined
  /** The same as `externalId`, as it used to be called. */
  userId?: string | number | null | undefined
}

/**
 * Remembers who is here, for this and later events and for 30 days on this browser. What is missing is
 * kept from before, unless `externalId` says that this is someone else.
 */
export function identify(user: User | null | undefined): void

/** Forgets who is here. Call it when they log out. */
export function reset(): void

/** `granted`, `denied` or `pending` (not chosen yet). */
export type Consent = 'granted' | 'denied' | 'pending'

/**
 * Passes on the visitor's choice, for both legs.
 *
 * - `pending`: events wait in this page's memory; nothing is stored, nothing is sent, and the Pixel's
 *   script is not requested.
 * - `granted`: what waited goes out, in order.
 * - `denied`: what waited is dropped, and everything Duet has stored on this browser is removed.
 */
export function setConsent(consent: Consent): void

// --- Reporting -----------------------------------------------------------------------------------

/**
 * Reports a page view to the Pixel; call it when the address of a single-page app has changed. A
 * second call for the same address does nothing. The first page is reported by `init()`.
 */
export function page(): void

/**
 * Reports an event on both legs. `eventId` is there at once; `delivery` tells later what the proxy
 * said.
 */
export function trackDualEvent<E extends EventName>(event: E, properties?: PropertiesOf<E>, options?: Options): Tracked

/** Reports an event through the Pixel alone. */
export function trackPixelEvent<E extends EventName>(event: E, properties?: PropertiesOf<E>, options?: Options): Tracked

/** Reports an event through the proxy alone. */
export function trackServerEvent<E extends EventName>(event: E, properties?: PropertiesOf<E>, options?: Options): Tracked

/** Settings of one event. */
export interface Options {
  /**
   * The order this event belongs to. The event's id is then derived from it, so that your server and
   * your payment provider's webhook give it the same id; and the event is reported once per name and
   * order on this browser for 90 days, however often the page is loaded. It is sent as
   * `properties.order_id`, which is also its default.
   */
  orderId?: string | number | undefined
  /**
   * Your own event id: 1 to 64 of `A-Z a-z 0-9 _ . : -`. Lower-case UUIDs of version 8 are reserved for
   * {@link eventIdFor} of this event and this order; another one is replaced, and the `error` event says so.
   * Default: the order's, else a random one.
   */
  eventId?: string | undefined
  /** Who this event is about, if not who {@link identify} said; what is missing is taken from there. */
  user?: User | undefined
  /** `false` leaves the Pixel out. */
  pixel?: false | undefined
  /** Asks TikTok to limit what it does with this event. Global Privacy Control asks for all events. */
  limitedDataUse?: boolean | undefined
  /** When it happened, if not now: a `Date`, or seconds since 1970. At most 7 days ago. */
  eventTime?: Date | number | undefined
  /** TikTok's test event code. The proxy honours it only from callers with its server key. */
  testEventCode?: string | undefined
}

/** What a call answers, at once. */
export interface Tracked {
  /** The id both legs report. */
  readonly eventId: string
  /** What became of the proxy's copy. Never rejected; settled within 12 seconds. */
  readonly delivery: Promise<Delivery>
}

/** What became of the proxy's copy of an event. */
export interface Delivery {
  /**
   * - `accepted`: the proxy has it on disk and will deliver it.
   * - `duplicate`: it was reported before, by this browser or by someone else.
   * - `held`: the proxy keeps it until its order is paid.
   * - `invalid`: it breaks a rule (`errors`); it will not be sent again.
   * - `queued`: it waits on this browser - offline, proxy down, no consent yet - and will be sent.
   * - `dropped`: given up; the `error` event says why.
   * - `consent`: consent is denied.
   * - `off`: there is no proxy's copy: an event for the Pixel alone, or no browser.
   */
  status: 'accepted' | 'duplicate' | 'held' | 'invalid' | 'queued' | 'dropped' | 'consent' | 'off'
  eventId: string
  /** The event's name, as it was called. */
  event: string
  /** The rules it breaks. */
  errors?: Problem[]
  /** What the proxy took with a grain of salt. */
  warnings?: Problem[]
}

/** A broken rule. */
export interface Problem {
  /** The field, dotted: `properties.contents.0.content_id`. */
  field?: string
  /** The rule, for programs. */
  rule?: string
  /** The rule, for people; where the proxy found it broken, or {@link Config.debug} is on. */
  message?: string | undefined
}

// --- Event names and their properties ------------------------------------------------------------

/** The names TikTok optimises for. */
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

/** Former names, which TikTok still takes. `CompletePayment` is now `Purchase`, `SubmitForm` is `Lead`. */
export type FormerEventName = 'ClickButton' | 'CompletePayment' | 'PlaceAnOrder' | 'SubmitForm'

/**
 * A standard event, or one of your own: at most 50 letters, digits, `_` and `-`, starting with a
 * letter. It goes out as you write it, the same on both legs.
 */
export type EventName = StandardEventName | FormerEventName | (string & {})

/** One thing that was looked at, put into a cart, or bought. */
export interface Content {
  /** Its id, as in your catalogue. */
  content_id?: string | undefined
  content_type?: 'product' | 'product_group' | undefined
  content_name?: string | undefined
  content_category?: string | undefined
  brand?: string | undefined
  /** The price of one, in {@link Properties.currency}. */
  price?: number | undefined
  /** How many. */
  quantity?: number | undefined
}

/** What an event is about, under TikTok's own names. Others may be added; they are passed on. */
export interface Properties {
  contents?: Content[] | undefined
  content_type?: 'product' | 'product_group' | undefined
  /** The value of the whole event, a number in `currency`. */
  value?: number | undefined
  /** Three capital letters. Default: {@link Config.currency}, where there is a `value`. */
  currency?: string | undefined
  /** The order, see {@link Options.orderId}. */
  order_id?: string | undefined
  /** How many things in all. */
  num_items?: number | undefined
  /** What was searched for. */
  search_string?: string | undefined
  query?: string | undefined
  description?: string | undefined
  status?: string | undefined
  shop_id?: string | undefined
  [name: string]: unknown
}

/** A value and its currency; without them TikTok cannot tell what an ad has earned. */
export interface Valued extends Properties {
  value: number
}

/** What TikTok recommends for each event; the others take any {@link Properties}. */
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

/** Plain fields; each lands where TikTok looks for it. */
export interface Fields {
  /** Your catalogue's id of the thing. */
  contentId?: string | undefined
  contentName?: string | undefined
  /** A plan's id and name: the same as `contentId` and `contentName`. The id also travels as `plan_id`. */
  planId?: string | undefined
  planName?: string | undefined
  /** Shown behind the plan's name, `Pro (monthly)`; also travels as `billing_cycle`. */
  billingCycle?: string | undefined
  category?: string | undefined
  brand?: string | undefined
  /** The price of one. */
  price?: number | undefined
  /** How many. Default: 1. */
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

/** The fields of a thing on show. */
export interface ContentFields extends Fields {
  contentId: string
  contentName?: string | undefined
}

// Every one of these reports on both legs; `{ pixel: false }` leaves the Pixel out. The second forms,
// with plain values, are those of the functions they replace.

/** Somebody looks at a thing. */
export function trackServerViewContent(fields: ContentFields, options?: Options): Tracked
export function trackServerViewContent(contentId: string, contentName: string, value?: number, user?: User): Tracked

/** Somebody searches. */
export function trackServerSearch(fields: Fields & { query: string }, options?: Options): Tracked

/** Somebody presses a button. */
export function trackServerClickButton(fields?: Fields, options?: Options): Tracked

/** Somebody puts a thing into the cart. */
export function trackServerAddToCart(fields: ContentFields, options?: Options): Tracked

/** Somebody begins to pay. */
export function trackServerInitiateCheckout(fields: Fields, options?: Options): Tracked
export function trackServerInitiateCheckout(planId: string, planName: string, value: number, user?: User): Tracked

/** Somebody enters how they pay. */
export function trackServerAddPaymentInfo(fields: Fields, options?: Options): Tracked

/** Somebody signs up. */
export function trackServerCompleteRegistration(fields?: Fields, options?: Options): Tracked

/** Somebody begins a trial. */
export function trackServerStartTrial(fields: Fields, options?: Options): Tracked

/** Somebody subscribes. */
export function trackServerSubscribe(fields: PlanFields, options?: Options): Tracked
export function trackServerSubscribe(
  planId: string,
  planName: string,
  value: number,
  billingCycle?: string,
  user?: User,
): Tracked

/** Somebody has paid. */
export function trackServerCompletePayment(fields: PaymentFields, options?: Options): Tracked
export function trackServerCompletePayment(orderId: string, value: number, planName?: string, user?: User): Tracked

/** Somebody has paid, under the name TikTok has for it today. */
export function trackServerPurchase(fields: PaymentFields, options?: Options): Tracked

/** {@link trackDualEvent}; also takes a user and a test event code in the place of the options. */
export function trackTikTokDualEvent<E extends EventName>(
  event: E,
  properties?: Properties,
  options?: Options | User,
  testEventCode?: string,
): Tracked

/** {@link trackServerEvent}; also takes everything as one object. */
export function trackTikTokServerEvent(event: EventName, properties?: Properties, options?: Options): Tracked
export function trackTikTokServerEvent(event: {
  event: EventName
  properties?: Properties | undefined
  user?: User | undefined
  test_event_code?: string | undefined
}): Tracked

// --- Orders --------------------------------------------------------------------------------------

/**
 * The id that an event of an order has everywhere: on this page, in a webhook, on your server. The
 * first 16 bytes of SHA-256 of `duet/1|<event>|<order_id>`, as a version-8 UUID.
 */
export function eventIdFor(event: EventName, orderId: string | number): string

/**
 * Asks the proxy for the order's status until it is paid; then reports `CompletePayment`, once per
 * order on this browser, and calls `onPaid`. The event has the id under which the proxy has reported the payment, so that
 * both count as one; where it has not, the order's own. Asks less often from time to time, and not at all while
 * the page is hidden. Gives back a function that stops it.
 */
export function watchOrder(
  orderId: string | number,
  options?: {
    /** Called once, when the order is paid; also where that was reported before. */
    onPaid?: (() => void) | undefined
    /** The first wait between two questions, in milliseconds. Default: 3,000; it grows to 30,000. */
    intervalMs?: number | undefined
    /** When to stop asking, in milliseconds. Default: 1,800,000 (30 minutes). */
    timeoutMs?: number | undefined
    /** The properties of the `CompletePayment`. */
    properties?: Properties | undefined
    /** Who it is about, if not who {@link identify} said. */
    user?: User | undefined
  },
): () => void

// --- Looking on ----------------------------------------------------------------------------------

/** Sends what waits now, unless the proxy has asked for a pause. Fulfilled when the answers are in. */
export function flush(): Promise<void>

/** How many events wait on this browser to reach the proxy, those of other tabs and earlier pages too. */
export function pending(): number

/** A mistake or a loss. Where nobody listens, it is a warning on the console. */
export interface DuetError {
  /**
   * For programs: `config`, `invalid`, `full`, `expired`, `too_large` (an event of more than 60 KB), `number` (`NaN` and
   * the like, left out), `property` (a property that could not be read, or that JSON has no form for, left out), `order_id` (it
   * names no order, so the event's id is random), `object` (`properties` that are none, left out),
   * `refused` (nothing arrives until a person helps: the address, the origin), `core` (the module has stopped), or a broken rule's name.
   */
  code: string
  /** For people. Never a personal value. */
  message: string
  field?: string
  eventId?: string
}

/** What became of the Pixel on this page. */
export interface PixelState {
  /**
   * `fired`: its script runs. `blocked`: its script did not come, or did nothing. `absent`: the page
   * was to bring its own and has none. `off`: it is not wanted.
   */
  state: 'fired' | 'blocked' | 'absent' | 'off'
}

/** Listens. Gives back a function that ends it. */
export function on(kind: 'delivery', listener: (delivery: Delivery) => void): () => void
export function on(kind: 'error', listener: (error: DuetError) => void): () => void
export function on(kind: 'pixel', listener: (pixel: PixelState) => void): () => void
