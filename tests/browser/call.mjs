// Calls the SDK on a page from a test.

/** Starts the SDK. */
export const init = (page, config) => page.evaluate((config) => window.duet.init(config), config);

/** Makes a call that reports an event, and waits until the delivery of the event is known. */
export const report = (page, name, ...args) =>
  page.evaluate(
    async (name, args) => {
      const { eventId, delivery } = window.duet[name](...args);
      return { eventId, delivery: await delivery };
    },
    name,
    args,
  );

/** Makes any call and waits only for its return value. A call that reports an event returns the event_id. */
export const call = (page, name, ...args) =>
  page.evaluate(
    (name, args) => {
      const result = window.duet[name](...args);
      return result?.eventId ?? (typeof result === 'object' ? undefined : result);
    },
    name,
    args,
  );

/** Returns everything that the page's listeners of `kind` received. */
export const heard = (page, kind) =>
  page.evaluate((kind) => window.heard.filter(([heard]) => heard === kind).map(([, what]) => what), kind);

/** Returns Duet's data in localStorage. */
export const stored = (page) =>
  page.evaluate(() => Object.fromEntries(Object.entries(localStorage).filter(([key]) => key.startsWith('duet:'))));

/** Returns the data of the page's site in every kind of storage except cookies. Empty storage is left out. */
export const kept = (page) =>
  page.evaluate(async () => {
    const found = {
      localStorage: { ...localStorage },
      sessionStorage: { ...sessionStorage },
      cookie: document.cookie,
      databases: (await indexedDB.databases()).map(({ name }) => name),
      caches: await globalThis.caches?.keys().catch(() => []),
      workers: (await navigator.serviceWorker?.getRegistrations().catch(() => []))?.map(({ scope }) => scope),
    };
    return Object.fromEntries(Object.entries(found).filter(([, value]) => value && Object.keys(value).length > 0));
  });
