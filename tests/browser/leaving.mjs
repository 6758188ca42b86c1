// Ways to leave a page right after a call, and how the event of that call came to the proxy all the same.

import { init } from './call.mjs';
import { eventsIn, trackPath } from './stack.mjs';
import { listen, pass } from './tap.mjs';
import { until } from './until.mjs';

/** How long a proxy on another origin takes to answer. */
const hopMs = 300;

/** A call in the handler of a click on the link, whose own way is `follow`. */
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

/** Each takes a page on which the SDK runs, makes one call, and is gone from that page. */
export const ways = {
  'follows a link within the site': clicked(() => ({})),
  'follows a link to another site': clicked(({ bank }) => ({ href: bank })),
  'is sent on to a bank by a redirect': clicked(({ redirect }) => ({ assigned: redirect })),
  async 'leaves a page that calls in pagehide'(page, eventId) {
    await page.evaluate((eventId) => {
      addEventListener('pagehide', () => { window.duet.trackDualEvent('ClickButton', {}, { eventId }); });
    }, eventId);
    // The driver's own click waits for a page in the foreground.
    await Promise.all([page.waitForNavigation(), page.$eval('#next', (link) => link.click())]);
  },
  async 'closes the tab'(page, eventId) {
    await page.evaluate((eventId) => { window.duet.trackDualEvent('ClickButton', {}, { eventId }); }, eventId);
    await page.close();
  },
};

/** Where the proxy is, seen from the page. The stack's proxy has to allow the origin of its site. */
export const endpoints = ['on the same origin', 'on another origin, 300 ms away'];

/** The sites a visitor goes to, and the proxy's other origin. */
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
    /** The posts the proxy has answered for. */
    arrivals: (eventId) => [...eventsIn(stack.site.log), ...eventsIn(log)].filter((event) => event.event_id === eventId),
    stop: away.stop,
  };
}

/** By which means the browser sent a post; a beacon alone asks for no answer. */
export const means = ({ post }) => (post.headers['sec-fetch-mode'] === 'no-cors' ? 'beacon' : 'keepalive');

/**
 * One round: opens the fixture page, calls, leaves in that way. `prepare` gets the page before that. Gives back how the event
 * arrived: `keepalive`, `beacon`, or `next visit` where it took one. The tab stays open, unless to close it was the way.
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
