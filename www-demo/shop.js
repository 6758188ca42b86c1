// The shop. Everything Duet needs is in the first half: it starts, it is told who signed in and what they
// allow, and it hears about three moments: the plans are looked at, a plan is chosen, the money is there.

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

// In your shop: init({ pixelId: 'C…', country: 'VN' }). Calls made before it is done are kept.
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

// The order's id makes the event's id, so each moment of an order is one event whoever reports it, and how often.
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

// Asks the proxy whether the bank's webhook has told of the money. CompletePayment goes out once, then; on a page
// that is loaded again, or opened when all is paid, nothing is added.
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
  const order = await createOrder({ plan, billing: billing(), amount: priceOf(plan, 'VND', billing()) });
  button.disabled = false;
  reportCheckout(order, plan);
  await showPayment(order, plan);
}

async function showPayment(order, plan) {
  find('payment-title').textContent = `Pay for ${plan.name}`;
  const inDong = currency() === order.currency ? '' : ' Bank transfers are made in dong.';
  find('payment-summary').textContent = summaryOf(order, plan) + inDong;
  find('payment-box').replaceChildren(paymentBox(order, (await settings)?.bank_url));
  find('waiting-link').href = `/waiting.html?order=${order.id}`;
  showStep('payment');
  find('payment-title').focus();
}

/** `plans` or `payment`: one of the two steps of the pricing page. */
function showStep(step) {
  for (const part of document.querySelectorAll('[data-choosing]')) part.hidden = step !== 'plans';
  find('payment').hidden = step !== 'payment';
}

const summaryOf = (order, plan) =>
  `${plan.name}, ${money(order.amount, order.currency)} ${period(order.billing)}. Order ${order.id}.`;

function wireAccount(form) {
  const status = find('account-status', form);
  const say = (signedIn) => {
    status.textContent = signedIn ? 'Signed in. TikTok gets only hashes of this.' : 'Not signed in.';
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
  pending: 'Waiting for your transfer.',
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
  // A watch asks less often from time to time; a new one asks at once.
  stopWatching();
  watch();
}

// What is shown while the money has not come; the shop's own business, of which Duet is told nothing.
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
  find('after').textContent = 'Reload this page as often as you like: the payment is reported once.';
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
