// The live box shows each event with its two copies (from the Pixel and from the proxy), and how the fake TikTok of the demo
// counted them. The box belongs to the demo, not to the shop. It only listens to Duet, and reads from the fake TikTok.

import { on, pending } from 'duet-sdk';
import { settings } from './settings.js';

const shown = 12;
const everyMs = 1000;

const verdicts = {
  fired: ['good', 'fired'],
  blocked: ['bad', 'blocked in this browser'],
  absent: ['bad', 'no Pixel on this page'],
  off: ['off', 'off'],
};
const answers = {
  accepted: ['wait', 'accepted by the proxy'],
  duplicate: ['good', 'a repeat: sent before'],
  held: ['wait', 'waits for the payment'],
  queued: ['wait', 'stored in the browser, sent later'],
  invalid: ['bad', 'rejected by the proxy'],
  dropped: ['bad', 'dropped by the SDK'],
};

/** The data that this page has received about its own events, by event_id. */
const heard = new Map();
let verdict;

const part = (tag, className, ...children) => {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
};

const box = document.querySelector('[data-legs]');
const count = part('strong', 'legs-count', '0');
const counted = part('span', '', 'conversions');
const signals = part('span', 'legs-signals');
const waiting = part('p', 'legs-note');
const rows = part('ol', 'legs-rows');
const links = part('p', 'legs-links');
const details = part(
  'details',
  '',
  part('summary', '', part('span', 'legs-title', 'What TikTok counted'), part('span', 'legs-sum', count, ' ', counted)),
  part('div', 'legs-body', signals, waiting, rows, links),
);
details.open = matchMedia('(min-width: 70rem)').matches;
box.append(details);

function status([mood, words]) {
  const element = part('span', `leg-status ${mood}`, words);
  element.dataset.mood = mood;
  return element;
}

function row({ event, eventId, pixel, server, keys, gap, arrived }) {
  const item = part('li', 'legs-row');
  Object.assign(item.dataset, { event, eventId, pixel: pixel[1], server: server[1] });
  const id = part('code', 'legs-id', eventId.slice(0, 8));
  id.title = eventId;
  const leg = (name, state) => part('p', 'leg', part('span', 'leg-name', name), status(state));
  const one = part('span', 'legs-one', arrived ? '1' : '·');
  one.title = arrived ? 'TikTok counted one conversion' : 'no copy has arrived at TikTok yet';
  item.append(
    part('p', 'legs-event', part('strong', '', event), id),
    part('div', 'legs-pair', part('div', 'legs-legs', leg('Pixel', pixel), leg('Server', server)), one),
    part('p', 'legs-keys', [gap, keys].filter(Boolean).join(' · ')),
  );
  return item;
}

function rowOf(conversion) {
  const of = (channel) => conversion.signals.filter((signal) => signal.channel === channel);
  const [pixel, server] = [of('pixel'), of('server')];
  const own = heard.get(conversion.event_id);
  const keys = new Set(conversion.signals.flatMap((signal) => signal.match_keys));
  const pageView = /^page_?view$/i.test(conversion.event);
  return {
    event: conversion.event,
    eventId: conversion.event_id ?? 'no id',
    pixel: pixel.length ? verdicts.fired : own ? (verdicts[own.pixel] ?? verdicts[verdict] ?? ['wait', 'waiting']) : ['off', 'none'],
    server: server.length
      ? ['good', 'delivered to TikTok']
      : pageView
        ? ['off', 'only the Pixel reports page views']
        : (answers[own?.status] ?? ['wait', 'waiting']),
    gap: conversion.gap_ms === null ? '' : `${Math.abs(conversion.gap_ms)} ms apart`,
    keys: [...keys].join(', '),
    arrived: true,
  };
}

const rowOfHeard = ([eventId, { event, status: answer }]) => ({
  event: event ?? 'Event',
  eventId,
  pixel: verdicts[verdict] ?? ['wait', 'waiting'],
  server: answers[answer] ?? ['wait', 'waiting'],
  gap: '',
  keys: '',
  arrived: false,
});

let before = '';
function show(conversions, totals) {
  const seen = new Set(conversions.map((conversion) => conversion.event_id));
  const only = [...heard].filter(([eventId]) => !seen.has(eventId));
  const wanted = [...only.reverse().map(rowOfHeard), ...conversions.reverse().map(rowOf)].slice(0, shown);
  const kept = pending();
  const now = JSON.stringify([wanted, totals.conversions, totals.pixel_signals, totals.server_signals, kept]);
  if (now === before) return;
  before = now;
  count.textContent = totals.conversions;
  counted.textContent = totals.conversions === 1 ? 'conversion' : 'conversions';
  signals.textContent = `Copies that arrived: ${totals.pixel_signals} from the Pixel, ${totals.server_signals} from the proxy`;
  waiting.textContent = kept === 0 ? '' : `Events that wait in this browser: ${kept}`;
  rows.replaceChildren(...wanted.map(row));
}

function trouble(words) {
  before = '';
  waiting.textContent = words;
}

async function look(sandbox) {
  const read = async (path) => (await fetch(`${sandbox}/sandbox/${path}`)).json();
  try {
    const [conversions, totals] = await Promise.all([read(`conversions?limit=${shown}`), read('totals')]);
    show(conversions, totals);
  } catch {
    trouble('The fake TikTok (the sandbox) does not answer. Is “cargo xtask demo” still running?');
  }
}

on('delivery', (delivery) => heard.set(delivery.eventId, { ...heard.get(delivery.eventId), ...delivery }));
on('pixel', (state) => {
  verdict = state?.state ?? state;
});

const demo = await settings;
if (demo) {
  links.append(Object.assign(document.createElement('a'), { href: demo.sandbox_url, textContent: 'See everything that the fake TikTok received' }));
  for (;;) {
    if (!document.hidden) await look(demo.sandbox_url);
    await new Promise((next) => setTimeout(next, everyMs));
  }
} else {
  trouble('This box works only if “cargo xtask demo” serves the page.');
}
