// The shop's orders and its bank. A real shop keeps both on its server; this one has only the browser.

// Without 0 O 1 I L: the code is read from a screen and typed into a banking app.
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

export function createOrder({ plan, billing, amount, currency }) {
  const order = { id: orderId(), planId: plan.id, billing, amount, currency, paid: false };
  localStorage.setItem(key(order.id), JSON.stringify(order));
  return order;
}

export function orderOf(id) {
  try {
    return JSON.parse(localStorage.getItem(key(id)));
  } catch {
    return null;
  }
}

export function payOrder(id) {
  const order = orderOf(id);
  if (order) localStorage.setItem(key(id), JSON.stringify({ ...order, paid: true }));
}

// Asks again and again, as a page would ask its server, until the money is there.
export function whenPaid(id, paid) {
  if (orderOf(id)?.paid) paid();
  else setTimeout(whenPaid, 1000, id, paid);
}
