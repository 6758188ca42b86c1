// Calling the SDK on a page from here.

/** Starts the SDK. */
export const init = (page, config) => page.evaluate((config) => window.duet.init(config), config);

/** Runs a call that reports an event, and waits for what became of it. */
export const report = (page, name, ...args) =>
  page.evaluate(
    async (name, args) => {
      const { eventId, delivery } = window.duet[name](...args);
      return { eventId, delivery: await delivery };
    },
    name,
    args,
  );

/** Runs any call, without waiting for more than what it returns; of a report, that is its event_id. */
export const call = (page, name, ...args) =>
  page.evaluate(
    (name, args) => {
      const result = window.duet[name](...args);
      return result?.eventId ?? (typeof result === 'object' ? undefined : result);
    },
    name,
    args,
  );

/** What the page's listeners heard of `kind`. */
export const heard = (page, kind) =>
  page.evaluate((kind) => window.heard.filter(([heard]) => heard === kind).map(([, what]) => what), kind);

/** What Duet keeps in localStorage. */
export const stored = (page) =>
  page.evaluate(() => Object.fromEntries(Object.entries(localStorage).filter(([key]) => key.startsWith('duet:'))));

/** What the page's site keeps in any kind of storage but cookies; nothing for what is empty. */
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
