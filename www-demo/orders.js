// The shop's orders. A real shop's server creates the code, knows the price and registers the order with the proxy. In the
// demo the page sends the registration to /duet-dev/orders, because only a server may have the server key.

import { planOf } from './plans.js';

// The code has no 0, O, 1, I or L, because people read it from a screen and type it into a banking app. The code is one
// block, because banks remove punctuation.
const letters = '23456789ABCDEFGHJKMNPQRSTUVWXYZ';
const prefix = 'NET';
const length = 10;

const key = (id) => `net:order:${id}`;

function orderId() {
  let id = prefix;
  while (id.length < prefix.length + length) {
    // Skip values outside the alphabet. Otherwise some letters would be more frequent.
    const letter = letters[crypto.getRandomValues(new Uint8Array(1))[0] & 31];
    if (letter) id += letter;
  }
  return id;
}

/** An order of a plan. Dong are paid by bank transfer, dollars by card. */
export async function createOrder({ plan, billing, amount, currency }) {
  const order = { id: orderId(), planId: plan.id, billing, amount, currency };
  localStorage.setItem(key(order.id), JSON.stringify(order));
  await register(order, plan);
  return order;
}

export function orderOf(id) {
  try {
    const order = JSON.parse(localStorage.getItem(key(id)));
    return planOf(order?.planId) ? order : null;
  } catch {
    return null;
  }
}

/**
 * Returns the order's status, which the proxy knows from webhooks: `pending`, `partial` or `paid`. Returns nothing if the
 * proxy does not answer.
 */
export async function statusOf(id) {
  try {
    return (await (await fetch(`/api/orders/${id}`)).json()).status;
  } catch {
    return undefined;
  }
}

// Registers the order. Without a registration, the proxy knows the order only from the event InitiateCheckout, and the first
// payment pays the order with any amount.
async function register(order, plan) {
  const body = JSON.stringify({
    order_id: order.id,
    amount: order.amount,
    currency: order.currency,
    plan_id: plan.id,
    plan_name: plan.name,
    billing_cycle: order.billing,
  });
  try {
    await fetch('/duet-dev/orders', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  } catch {
    // The customer can still pay.
  }
}
