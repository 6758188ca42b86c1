// The shop. The first half has all calls to Duet: the start, the signed-in customer, the consent and three events
// (a customer views the plans, chooses a plan, has paid).

import {
  identify,
  init,
  reset,
  setConsent,
  trackServerInitiateCheckout,
  trackServerViewContent,
  watchOrder,
} from 'duet-sdk';
import { createOrder, orderOf, statusOf } from './orders.js';
import { paymentBox } from './payment.js';
import { money, period, planOf, plans, priceOf } from './plans.js';
import { endSession, resumeSession, startSession } from './session.js';
import { settings } from './settings.js';

// In your shop: init({ pixelId: 'C…', country: 'VN' }). Duet keeps calls that come before init is done.
settings.then(async (demo) => {
  if (!demo) return;
  await resumeSession(demo.sandbox_url);
  init({
    pixelId: demo.pixel_id,
    pixelScriptUrl: demo.pixel_script_url,
    endpoint: demo.track_path,
    country: 'VN',
    consent: remembered('consent', 'granted'),
  });
});

const reportPlansViewed = () =>
  trackServerViewContent({ contentId: 'plans', contentName: 'Plans', category: 'plan' });

// Duet derives the event's id from the event's name and the order's id. So each step of an order counts as one event, even if
// several senders report the step several times.
const reportOrderViewed = (order, plan) =>
  trackServerViewContent(
    { contentId: plan.id, contentName: plan.name, category: 'plan', value: order.amount, currency: order.currency },
    { orderId: order.id },
  );

const reportCheckout = (order, plan) =>
  trackServerInitiateCheckout({
    planId: plan.id,
    planName: plan.name,
    billingCycle: order.billing,
    value: order.amount,
    currency: order.currency,
    orderId: order.id,
  });

// Asks the proxy whether a webhook of the bank or of Polar has reported the payment. Once it has, Duet sends CompletePayment
// once. If the page is loaded again after that, Duet sends no further event.
const reportPaymentOnceThere = (order, plan, onPaid) =>
  watchOrder(order.id, {
    onPaid,
    intervalMs: 1000,
    properties: {
      contents: [{ content_id: plan.id, content_name: plan.name, price: order.amount, quantity: 1 }],
      content_type: 'product',
      value: order.amount,
      currency: order.currency,
    },
  });

/* The pricing page */

const find = (name, root = document) => root.querySelector(`[data-${name}]`);

function remembered(name, otherwise) {
  return localStorage.getItem(`net:${name}`) ?? otherwise;
}

function remember(name, value) {
  localStorage.setItem(`net:${name}`, value);
}

function radios(container, name, initial, changed) {
  for (const radio of container.querySelectorAll(`input[name=${name}]`)) {
    radio.checked = radio.value === initial;
    radio.addEventListener('change', () => {
      remember(name, radio.value);
      changed(radio.value);
    });
  }
}

const currency = () => remembered('currency', 'VND');
const billing = () => remembered('billing', 'monthly');

function showPlans() {
  const list = find('plans');
  const blank = document.querySelector('template[data-plan]');
  for (const plan of plans) {
    const card = blank.content.cloneNode(true).firstElementChild;
    card.dataset.id = plan.id;
    card.classList.toggle('best', plan.best === true);
    find('name', card).textContent = plan.name;
    find('for', card).textContent = plan.for;
    for (const feature of plan.features) {
      find('features', card).append(Object.assign(document.createElement('li'), { textContent: feature }));
    }
    const choose = card.querySelector('button');
    choose.textContent = `Choose ${plan.name}`;
    choose.addEventListener('click', () => choosePlan(plan, choose));
    list.append(card);
  }
  showPrices();
  reportPlansViewed();
  find('choose-again').addEventListener('click', () => showStep('plans'));
}

function showPrices() {
  for (const card of find('plans').children) {
    const price = priceOf(planOf(card.dataset.id), currency(), billing());
    find('price', card).textContent = money(price, currency());
    find('period', card).textContent = period(billing());
  }
}

async function choosePlan(plan, button) {
  button.disabled = true;
  const amount = priceOf(plan, currency(), billing());
  const order = await createOrder({ plan, billing: billing(), amount, currency: currency() });
  button.disabled = false;
  reportCheckout(order, plan);
  await showPayment(order, plan);
}

async function showPayment(order, plan) {
  find('payment-title').textContent = `Pay for ${plan.name}`;
  find('payment-summary').textContent = summaryOf(order, plan);
  find('payment-box').replaceChildren(paymentBox(order, (await settings)?.bank_url));
  find('waiting-link').href = `/waiting.html?order=${order.id}`;
  showStep('payment');
  find('payment-title').focus();
}

/** Shows one of the two steps of the pricing page: `plans` or `payment`. */
function showStep(step) {
  for (const part of document.querySelectorAll('[data-choosing]')) part.hidden = step !== 'plans';
  find('payment').hidden = step !== 'payment';
}

const summaryOf = (order, plan) =>
  `${plan.name}, ${money(order.amount, order.currency)} ${period(order.billing)}. Order ${order.id}.`;

function wireAccount(form) {
  const status = find('account-status', form);
  const say = (signedIn) => {
    status.textContent = signedIn ? 'Signed in. TikTok gets only hashes of this data.' : 'Not signed in.';
  };
  say(remembered('signed-in', 'no') === 'yes');
  form.addEventListener('submit', async (submit) => {
    submit.preventDefault();
    const given = [...new FormData(form)].filter(([, value]) => value.trim() !== '');
    if (given.length === 0) {
      status.textContent = 'Fill in at least one line to sign in.';
      return;
    }
    const { userId, ...contact } = Object.fromEntries(given);
    identify(contact);
    const demo = await settings;
    if (userId && demo) await startSession(demo.sandbox_url, userId);
    remember('signed-in', 'yes');
    say(true);
  });
  find('forget', form).addEventListener('click', () => {
    reset();
    endSession();
    form.reset();
    remember('signed-in', 'no');
    say(false);
  });
}

/* The waiting page */

const words = {
  pending: 'Waiting for your payment.',
  partial: 'Part of the amount has arrived. Please transfer the rest, with the same message.',
};

async function showOrder(id) {
  const order = orderOf(id);
  if (!order) {
    find('unknown').hidden = false;
    return;
  }
  const plan = planOf(order.planId);
  reportOrderViewed(order, plan);
  const watch = () => reportPaymentOnceThere(order, plan, () => showPaid(order, plan));
  const stopWatching = watch();
  find('summary').textContent = summaryOf(order, plan);
  find('status').textContent = words.pending;
  find('payment-box').replaceChildren(paymentBox(order, (await settings)?.bank_url));
  find('waiting').hidden = false;
  await followUntilPaid(order);
  // The running watch asks the proxy less and less often. A new watch asks immediately.
  stopWatching();
  watch();
}

// Updates the page until the payment has come. This is code of the shop, and does not use Duet.
async function followUntilPaid(order) {
  for (;;) {
    const status = document.hidden ? undefined : await statusOf(order.id);
    if (status === 'paid') return;
    if (status in words) {
      find('status').textContent = words[status];
      find('status').dataset.status = status;
    }
    await new Promise((next) => setTimeout(next, 1000));
  }
}

function showPaid(order, plan) {
  find('waiting').classList.add('paid');
  find('title').textContent = `${plan.name} is on`;
  find('status').textContent = `Payment received for order ${order.id}.`;
  find('status').dataset.status = 'paid';
  find('payment-box').hidden = true;
  find('after').textContent = 'If you reload this page, the payment is not reported again.';
}

if (find('plans')) {
  radios(find('switch="currency"'), 'currency', currency(), showPrices);
  radios(find('switch="billing"'), 'billing', billing(), showPrices);
  radios(find('consent'), 'consent', remembered('consent', 'granted'), setConsent);
  wireAccount(find('account'));
  showPlans();
} else {
  showOrder(new URLSearchParams(location.search).get('order'));
}
