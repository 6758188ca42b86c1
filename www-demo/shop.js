// The shop. Everything Duet needs is in the first half: it starts, it is told who signed in and what they
// allow, and it hears about three moments: a plan is looked at, a plan is chosen, the money is there.

import {
  identify,
  init,
  reset,
  setConsent,
  trackServerCompletePayment,
  trackServerInitiateCheckout,
  trackServerViewContent,
} from 'duet-sdk';
import { createOrder, orderOf, payOrder, whenPaid } from './orders.js';
import { money, period, planOf, plans, priceOf } from './plans.js';
import { settings } from './settings.js';

// In your shop: init({ pixelId: 'C…', country: 'VN' }). Calls made before it is done are kept.
settings.then((demo) => {
  if (!demo) return;
  init({
    pixelId: demo.pixel_id,
    pixelScriptUrl: demo.pixel_script_url,
    endpoint: demo.track_path,
    country: 'VN',
    consent: remembered('consent', 'granted'),
  });
});

const reportView = (plan, value, currency) =>
  trackServerViewContent({ contentId: plan.id, contentName: plan.name, category: 'plan', value, currency });

// The order's id makes the event's id, so this moment is one event whoever reports it, and how often.
const reportCheckout = (order, plan) =>
  trackServerInitiateCheckout({
    planId: plan.id,
    planName: plan.name,
    billingCycle: order.billing,
    value: order.amount,
    currency: order.currency,
    orderId: order.id,
  });

// Called on every load of a paid order's page. It fires once: reloading is harmless.
const reportPayment = (order, plan) =>
  trackServerCompletePayment({
    orderId: order.id,
    planId: plan.id,
    planName: plan.name,
    value: order.amount,
    currency: order.currency,
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
    choose.addEventListener('click', () => choosePlan(plan));
    list.append(card);
  }
  showPrices();
  watchPlans(list);
}

function showPrices() {
  for (const card of find('plans').children) {
    const price = priceOf(planOf(card.dataset.id), currency(), billing());
    find('price', card).textContent = money(price, currency());
    find('period', card).textContent = period(billing());
  }
}

// A plan has been looked at when most of its card was on the screen: once per visit of the page.
function watchPlans(list) {
  const watcher = new IntersectionObserver((cards) => {
    for (const { isIntersecting, target } of cards) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      const plan = planOf(target.dataset.id);
      reportView(plan, priceOf(plan, currency(), billing()), currency());
    }
  }, { threshold: 0.6 });
  for (const card of list.children) watcher.observe(card);
}

function choosePlan(plan) {
  const order = createOrder({
    plan,
    billing: billing(),
    amount: priceOf(plan, currency(), billing()),
    currency: currency(),
  });
  reportCheckout(order, plan);
  location.assign(`/waiting.html?order=${order.id}`);
}

function wireAccount(form) {
  const status = find('account-status', form);
  const say = (signedIn) => {
    status.textContent = signedIn ? 'Signed in. Only hashes of these leave the page.' : 'Not signed in.';
  };
  say(remembered('signed-in', 'no') === 'yes');
  form.addEventListener('submit', (submit) => {
    submit.preventDefault();
    const given = [...new FormData(form)].filter(([, value]) => value.trim() !== '');
    if (given.length === 0) {
      status.textContent = 'Fill in at least one line to sign in.';
      return;
    }
    identify(Object.fromEntries(given));
    remember('signed-in', 'yes');
    say(true);
  });
  find('forget', form).addEventListener('click', () => {
    reset();
    form.reset();
    remember('signed-in', 'no');
    say(false);
  });
}

/* The waiting page */

function showOrder(id) {
  const order = orderOf(id);
  const plan = order && planOf(order.planId);
  if (!plan) {
    find('unknown').hidden = false;
    return;
  }
  const amount = money(order.amount, order.currency);
  find('summary').textContent = `${plan.name}, ${amount} ${period(order.billing)}.`;
  find('amount').textContent = amount;
  find('order').textContent = order.id;
  find('status').textContent = 'Waiting for your transfer.';
  find('copy').addEventListener('click', async ({ target }) => {
    await navigator.clipboard.writeText(order.id);
    target.textContent = 'Copied';
  });
  find('pay').addEventListener('click', () => payOrder(order.id));
  find('waiting').hidden = false;
  reportView(plan, order.amount, order.currency);
  // With SePay connected to the proxy, Duet's watchOrder(order.id, { onPaid }) does the waiting.
  whenPaid(order.id, () => {
    reportPayment(order, plan);
    showPaid(order, plan);
  });
}

function showPaid(order, plan) {
  find('waiting').classList.add('paid');
  find('title').textContent = `${plan.name} is on`;
  find('status').textContent = `Payment received for order ${order.id}.`;
  find('pay').hidden = true;
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
