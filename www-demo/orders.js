// The shop's orders. A real shop's server draws the code, knows the price and registers the order with the proxy; here
// the page asks the demo's desk (/duet-dev/orders) for the last of these, since only a server may hold the server key.

import { planOf } from './plans.js';

// Without 0 O 1 I L: the code is read from a screen and typed into a banking app. One block: banks drop signs.
const letters = '23456789ABCDEFGHJKMNPQRSTUVWXYZ';
const prefix = 'NET';
const length = 10;

const key = (id) => `net:order:${id}`;

function orderId() {
  let id = prefix;
  while (id.length < prefix.length + length) {
    // Values past the alphabet are thrown away, or some letters would come up more often.
    const letter = letters[crypto.getRandomValues(new Uint8Array(1))[0] & 31];
    if (letter) id += letter;
  }
  return id;
}

/** An order of a plan, for an amount in dong: that is what a bank transfer moves. */
export async function createOrder({ plan, billing, amount }) {
  const order = { id: orderId(), planId: plan.id, billing, amount, currency: 'VND' };
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

/** `pending`, `partial` or `paid`, as the bank's webhook told the proxy; nothing while it cannot be asked. */
export async function statusOf(id) {
  try {
    return (await (await fetch(`/api/orders/${id}`)).json()).status;
  } catch {
    return undefined;
  }
}

// Without it the order is known by its InitiateCheckout alone, and paid by whatever comes first.
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
    // The customer can pay all the same.
  }
}
