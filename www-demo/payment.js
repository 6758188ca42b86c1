// The box that asks for a transfer: a VietQR's place, the four lines that a banking app wants, and the way to the bank.

import { money } from './plans.js';

const account = { bank: 'Duet Demo Bank', number: '0123499999' };
const modules = 25;
const finder = 7;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function copyButton(what, text) {
  const button = element('button', { type: 'button', className: 'quiet' }, 'Copy');
  const unseen = element('span', { className: 'unseen' }, ` the ${what}`);
  button.append(unseen);
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text);
    button.firstChild.data = 'Copied';
  });
  return button;
}

function line(name, value, copied) {
  const shown = element('dd', {}, value);
  if (copied) shown.append(' ', copyButton(name.toLowerCase(), copied));
  return element('div', {}, element('dt', {}, name), shown);
}

// It looks like a QR code and is none on purpose: a real one would name somebody's real account.
function picture(order) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', `-2 -2 ${modules + 4} ${modules + 4}`);
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(svg.namespaceURI, 'path');
  let drawn = '';
  let state = [...order.id].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 16777619), 2166136261);
  for (let y = 0; y < modules; y += 1) {
    for (let x = 0; x < modules; x += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      if (isDark(x, y) ?? state < 0) drawn += `M${x} ${y}h1v1h-1z`;
    }
  }
  path.setAttribute('d', drawn);
  svg.append(path);
  return svg;
}

/** Whether a module of one of the three corners is dark; nothing elsewhere. */
function isDark(x, y) {
  const [left, top] = [x, y].map((at) => (at > modules / 2 ? modules - 1 - at : at));
  if (left > finder || top > finder || (x > modules / 2 && y > modules / 2)) return undefined;
  const ring = Math.max(Math.abs(left - 3), Math.abs(top - 3));
  return ring !== 2 && ring !== 4;
}

/** The bank's page with this payment filled in. */
function bankLink(order, bankUrl) {
  const url = new URL(bankUrl);
  url.search = new URLSearchParams({ order_id: order.id, amount: order.amount });
  const words = element('span', { className: 'unseen' }, ' (opens in a new tab)');
  return element('a', { className: 'button', href: url.href, target: '_blank', rel: 'noopener' }, 'Pay at the fake bank', words);
}

export function paymentBox(order, bankUrl) {
  const amount = money(order.amount, order.currency);
  const code = element('code', {}, order.id);
  code.dataset.order = '';
  const way = element('p', { className: 'row' });
  way.dataset.bank = '';
  if (bankUrl) way.append(bankLink(order, bankUrl));
  return element('section', { className: 'transfer' },
    element('h2', {}, 'Your transfer'),
    element('figure', { className: 'qr' }, picture(order), element('figcaption', {}, 'A drawing, not a VietQR')),
    element('div', {},
      element('dl', {},
        line('Bank', account.bank),
        line('Account', account.number, account.number),
        line('Amount', element('span', { className: 'amount' }, amount), String(order.amount)),
        line('Message', code, order.id)),
      element('p', { className: 'note' }, 'Put the message in as it stands: it is how we find your order.'),
      way));
}
