// Ways to leave a page right after a call, and the way in which the call's event reached the proxy.

import { init } from './call.mjs';
import { eventsIn, trackPath } from './stack.mjs';
import { listen, pass } from './tap.mjs';
import { until } from './until.mjs';

/** The answer time of the proxy's other origin. */
const hopMs = 300;

/**
 * Makes a call in the click handler of the page's link, and leaves the page by this click. `follow` returns the address that
 * the link gets (`href`), or the address to which the click handler goes (`assigned`).
 */
const clicked = (follow) => async (page, eventId, places) => {
  await page.evaluate(
    (eventId, { href, assigned }) => {
      const link = document.querySelector('#next');
      if (href) link.href = href;
      link.addEventListener('click', (click) => {
        window.duet.trackDualEvent('ClickButton', {}, { eventId });
        if (!assigned) return;
        click.preventDefault();
        location.assign(assigned);
      });
    },
    eventId,
    follow(places),
  );
  await Promise.all([page.waitForNavigation(), page.click('#next')]);
};

/** Each way gets a page with the running SDK, makes one call, and then leaves the page. */
export const ways = {
  'follows a link within the site': clicked(() => ({})),
  'follows a link to another site': clicked(({ bank }) => ({ href: bank })),
  'is sent on to a bank by a redirect': clicked(({ redirect }) => ({ assigned: redirect })),
  async 'leaves a page that calls in pagehide'(page, eventId) {
    await page.evaluate((eventId) => {
      addEventListener('pagehide', () => { window.duet.trackDualEvent('ClickButton', {}, { eventId }); });
    }, eventId);
    // Click the link by a script, because the driver's own click needs a page in the foreground.
    await Promise.all([page.waitForNavigation(), page.$eval('#next', (link) => link.click())]);
  },
  async 'closes the tab'(page, eventId) {
    await page.evaluate((eventId) => { window.duet.trackDualEvent('ClickButton', {}, { eventId }); }, eventId);
    await page.close();
  },
};

/** Where the page sees the proxy. The stack's proxy must allow the origin of the stack's site. */
export const endpoints = ['on the same origin', 'on another origin, 300 ms away'];

/** Starts the other sites that a visitor opens, and a second origin for the proxy. */
export async function surroundings(stack) {
  const log = [];
  const away = await listen(async (incoming, outgoing) => {
    if (incoming.url === trackPath) {
      await new Promise((next) => setTimeout(next, hopMs));
      return pass(incoming, outgoing, stack.proxy.port, log);
    }
    const bank = incoming.url === '/redirect' && { location: `http://bank.localhost:${away.port}/` };
    outgoing.writeHead(bank ? 302 : 200, { 'content-type': 'text/html', ...bank });
    return outgoing.end('<!doctype html><link rel="icon" href="data:,"><title>Elsewhere</title>');
  });
  const at = (host) => `http://${host}.localhost:${away.port}`;
  return {
    bank: `${at('bank')}/`,
    redirect: `${at('pay')}/redirect`,
    configs: {
      [endpoints[0]]: stack.config,
      [endpoints[1]]: { ...stack.config, endpoint: `http://127.0.0.1:${away.port}${trackPath}` },
    },
    /** Returns the posts of an event that the proxy has answered. */
    arrivals: (eventId) => [...eventsIn(stack.site.log), ...eventsIn(log)].filter((event) => event.event_id === eventId),
    stop: away.stop,
  };
}

/** Returns how the browser sent a post. Only a beacon has the mode `no-cors`. */
export const means = ({ post }) => (post.headers['sec-fetch-mode'] === 'no-cors' ? 'beacon' : 'keepalive');

/**
 * Runs one round: opens the fixture page, makes a call and leaves. If `prepare` is given, it gets the page before the call.
 * Returns how the event arrived: `keepalive`, `beacon`, or `next visit` if the event arrived only on the next visit. The
 * tab stays open, except when the way is to close it.
 */
export async function leave({ stack, visitor, places, way, endpoint, eventId, prepare = () => {} }) {
  const config = places.configs[endpoint];
  const page = await visitor.open(stack.fixture);
  await init(page, config);
  await prepare(page);
  await ways[way](page, eventId, places);
  const arrived = () => places.arrivals(eventId)[0];
  try {
    return means(await until(`${eventId} arrives`, arrived));
  } catch {
    const again = await visitor.open(stack.fixture);
    await init(again, config);
    await until(`${eventId} arrives on the next visit`, arrived);
    await again.close();
    return 'next visit';
  }
}
