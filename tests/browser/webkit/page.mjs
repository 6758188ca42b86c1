// A page of WebKit. The class has the operations that the tests use on the pages of other browsers, with the same names.

import { EventEmitter } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { STATE, applied } from './prelude.mjs';

const patienceMs = 60_000;
const pollMs = 10;
let tickets = 0;

/**
 * Runs `task` on the page and returns the result as text. If the result is a promise, the page returns a number instead.
 * The test later uses this number to fetch the promise's value, so no command of the driver waits for a page.
 */
function run(name, ticket, task) {
  const state = window[name] ?? { said: [], answers: new Map() };
  if (!(name in window)) Object.defineProperty(window, name, { value: state });
  const text = (result) => {
    // A page may have added `toJSON` to every object.
    const hidden = [Object, Array, String, Number, Boolean].map(({ prototype }) => [prototype, Object.getOwnPropertyDescriptor(prototype, 'toJSON')]);
    for (const [prototype] of hidden) delete prototype.toJSON;
    try {
      return JSON.stringify({ ...result, said: state.said.splice(0) });
    } finally {
      for (const [prototype, toJSON] of hidden) if (toJSON) Object.defineProperty(prototype, 'toJSON', toJSON);
    }
  };
  const threw = (error) => ({ threw: error instanceof Error ? `${error}\n${error.stack}` : String(error) });
  try {
    const value = task(state.answers);
    if (typeof value?.then !== 'function') return text({ value });
    state.answers.set(ticket, undefined);
    value.then((value) => state.answers.set(ticket, { value }), (error) => state.answers.set(ticket, threw(error)));
    return text({ ticket });
  } catch (error) {
    return text(threw(error));
  }
}

/**
 * Ignores the errors of a command for a page that is being left. Such a page cannot answer, and rarely the driver gives no
 * answer either.
 */
function betweenPages(error) {
  if (!['no such frame', 'no such window', 'no answer'].includes(error.reason)) throw error;
  return {};
}

export class Page extends EventEmitter {
  /** The scripts that run in each document before the page's own scripts. */
  scripts = [];
  #session;
  #window;
  #turn;
  #closed = false;
  #intercepts = false;
  #following;

  /** `turn(page)` must tell the context that the next commands control this page. */
  constructor(session, window, turn) {
    super();
    this.#session = session;
    this.#window = window;
    this.#turn = turn;
  }

  #command(method, path, body) {
    this.#turn(this);
    return this.#session.command(this.#window, method, path, body);
  }

  async #run(script) {
    tickets += 1;
    const body = `return (${run})(${STATE}, ${tickets}, ${script})`;
    const answer = JSON.parse(await this.#command('POST', '/execute/sync', { script: body, args: [] }));
    this.hear(answer.said);
    if ('threw' in answer) throw new Error(answer.threw);
    return answer;
  }

  /** Passes the page's errors and console lines to the listeners. */
  hear(said) {
    for (const { kind, type, text, args } of said) {
      if (kind === 'pageerror') this.emit(kind, text);
      else this.emit(kind, { type: () => type, text: () => text, args: () => args.map((arg) => ({ jsonValue: async () => JSON.parse(arg) })) });
    }
  }

  async evaluate(script, ...args) {
    // If the script is a text, the text is an expression.
    const { value, ticket } = await this.#run(`() => ${typeof script === 'string' ? `(${script})` : applied(script, args)}`);
    if (!ticket) return value;
    for (;;) {
      const { value: settled } = await this.#run(`(answers) => answers.has(${ticket}) ? [answers.get(${ticket})] : []`);
      if (settled.length === 0) throw new Error('the page was left before it returned a result');
      const [answer] = settled;
      if (answer?.threw) throw new Error(answer.threw);
      if (answer) return answer.value;
      await pause(pollMs);
    }
  }

  async evaluateOnNewDocument(script, ...args) {
    this.scripts.push(applied(script, args));
  }

  /** Waits until `look` returns a true value. Fails with `fact` if this does not happen in time. */
  async #until(fact, look) {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const found = await look();
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`timed out after ${patienceMs} ms, waiting until ${fact}`);
      await pause(pollMs);
    }
  }

  /** Runs `leave`, then waits until the next page is loaded. */
  async #afterLeaving(leave, { waitUntil = 'load' } = {}) {
    await this.#run(`(answers) => { answers.left = true; }`);
    await leave();
    const states = waitUntil === 'domcontentloaded' ? ['interactive', 'complete'] : ['complete'];
    await this.#until('the next page is loaded', async () => {
      const { value } = await this.#run(`({ left }) => left ? undefined : document.readyState`).catch(betweenPages);
      return states.includes(value);
    });
  }

  goto(url, options) {
    return this.#afterLeaving(() => this.#command('POST', '/url', { url }), options);
  }

  reload() {
    return this.#afterLeaving(() => this.#command('POST', '/refresh'));
  }

  /** Waits for the next page. A test must call this before it leaves the page by another action. */
  waitForNavigation() {
    return this.#afterLeaving(() => {});
  }

  waitForFunction(condition, _options, ...args) {
    return this.#until('the condition holds', () => this.evaluate(condition, ...args));
  }

  async waitForSelector(selector, { visible = false } = {}) {
    await this.#until(`${selector} exists`, () => this.evaluate((selector, visible) => {
      const found = document.querySelector(selector);
      return found !== null && (!visible || (found.checkVisibility({ checkVisibilityCSS: true }) && found.getClientRects().length > 0));
    }, selector, visible));
    return { click: () => this.click(selector) };
  }

  async #element(selector) {
    const [id] = Object.values(await this.#command('POST', '/element', { using: 'css selector', value: selector }));
    return `/element/${id}`;
  }

  async click(selector) {
    await this.#command('POST', `${await this.#element(selector)}/click`);
  }

  async type(selector, text) {
    await this.#command('POST', `${await this.#element(selector)}/value`, { text });
  }

  /** Presses keys one at a time, as a person does. */
  keyboard = {
    press: (key) => {
      const value = { Enter: '\uE006', Escape: '\uE00C', Tab: '\uE004' }[key] ?? key;
      const actions = ['keyDown', 'keyUp'].map((type) => ({ type, value }));
      return this.#command('POST', '/actions', { actions: [{ type: 'key', id: 'keys', actions }] });
    },
  };

  async select(selector, value) {
    await this.$eval(selector, (found, value) => {
      found.value = value;
      for (const kind of ['input', 'change']) found.dispatchEvent(new Event(kind, { bubbles: true }));
    }, value);
  }

  $eval(selector, script, ...args) {
    return this.evaluate((selector, script, args) => script(document.querySelector(selector), ...args), selector, script, args);
  }

  $$eval(selector, script, ...args) {
    return this.evaluate((selector, script, args) => script([...document.querySelectorAll(selector)], ...args), selector, script, args);
  }

  async setViewport({ width, height }) {
    const [aroundX, aroundY] = await this.evaluate(() => [outerWidth - innerWidth, outerHeight - innerHeight]);
    await this.#command('POST', '/window/rect', { width: width + aroundX, height: height + aroundY });
  }

  async screenshot({ path }) {
    await writeFile(path, Buffer.from(await this.#command('GET', '/screenshot'), 'base64'));
  }

  async setRequestInterception(on) {
    this.#intercepts = on;
  }

  /** Reports a request to the listeners. Returns whether the listeners allow the request. */
  async meet(url) {
    if (!this.#intercepts) {
      this.emit('request', { url: () => url });
      return true;
    }
    return new Promise((decide) => {
      this.emit('request', { url: () => url, abort: () => decide(false), continue: () => decide(true) });
    });
  }

  /** Returns the cookies of the page's own address. */
  async cookies() {
    const cookies = await this.#command('GET', '/cookie');
    return cookies.map(({ expiry, ...rest }) => ({ ...rest, expires: expiry ?? -1 }));
  }

  /** Hides the window. Without a window manager, windows do not cover each other, so the window must be minimised. */
  async minimize() {
    await this.#command('POST', '/window/minimize');
  }

  async restore() {
    await this.#command('POST', '/window/rect', {});
  }

  isClosed() {
    return this.#closed;
  }

  on(kind, listener) {
    super.on(kind, listener);
    if (kind === 'console') this.#following ??= this.#follow();
    return this;
  }

  /** Polls the page's output while a listener for the console exists, because the page cannot call the test. */
  async #follow() {
    while (!this.#closed) {
      await this.#run('() => {}').catch(betweenPages);
      await pause(pollMs);
    }
  }

  /** Reads the rest of the page's output, for the last time. */
  async leave() {
    this.#closed = true;
    await this.#following;
    await this.#run('() => {}').catch(betweenPages);
  }

  died() {
    this.#closed = true;
  }

  async close() {
    await this.leave();
    await this.#session.close(this.#window);
  }

  setDefaultTimeout() {}
}
