// The box with the payment details. For dong it shows a picture in place of a VietQR code, the four lines for a banking app
// and a link to the bank. For dollars it shows a link to the checkout at Polar.

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

// Draws a picture that only looks like a QR code. A real QR code would contain a person's real account.
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

/** Returns whether a module in one of the three corners is dark. Returns nothing for other modules. */
function isDark(x, y) {
  const [left, top] = [x, y].map((at) => (at > modules / 2 ? modules - 1 - at : at));
  if (left > finder || top > finder || (x > modules / 2 && y > modules / 2)) return undefined;
  const ring = Math.max(Math.abs(left - 3), Math.abs(top - 3));
  return ring !== 2 && ring !== 4;
}

/** Returns a link to the bank's page with the payment's data. The demo's bank also acts as Polar, whose amounts are in cents. */
function bankLink(order, bankUrl, text) {
  const url = new URL(bankUrl);
  const card = { provider: 'polar', currency: order.currency, amount: Math.round(order.amount * 100) };
  const paid = isByCard(order) ? card : { amount: order.amount };
  url.search = new URLSearchParams({ order_id: order.id, ...paid });
  const words = element('span', { className: 'unseen' }, ' (opens in a new tab)');
  return element('a', { className: 'button', href: url.href, target: '_blank', rel: 'noopener' }, text, words);
}

const isByCard = (order) => order.currency !== 'VND';

export function paymentBox(order, bankUrl) {
  const code = element('code', {}, order.id);
  code.dataset.order = '';
  const way = element('p', { className: 'row' });
  way.dataset.bank = '';
  if (bankUrl) way.append(bankLink(order, bankUrl, isByCard(order) ? 'Pay by card at the fake Polar' : 'Pay at the fake bank'));
  const amount = element('span', { className: 'amount' }, money(order.amount, order.currency));
  return isByCard(order) ? cardBox(amount, code, way) : transferBox(order, amount, code, way);
}

/** A real shop's server creates the checkout at Polar and writes the order's id into the checkout's metadata. */
function cardBox(amount, code, way) {
  return element('section', {},
    element('h2', {}, 'Your card'),
    element('dl', {}, line('Amount', amount), line('Order', code)),
    element('p', { className: 'note' }, 'You pay by card at Polar. Polar’s notification contains your order’s id, so you need not type the id.'),
    way);
}

function transferBox(order, amount, code, way) {
  return element('section', { className: 'transfer' },
    element('h2', {}, 'Your transfer'),
    element('figure', { className: 'qr' }, picture(order), element('figcaption', {}, 'Only a drawing: you cannot scan it')),
    element('div', {},
      element('dl', {},
        line('Bank', account.bank),
        line('Account', account.number, account.number),
        line('Amount', amount, String(order.amount)),
        line('Message', code, order.id)),
      element('p', { className: 'note' }, 'Write exactly this message into the transfer. We find your order by it.'),
      way));
}
