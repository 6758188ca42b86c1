// Scripts that run on a page of WebKit before the page's own scripts. WebDriver has no command for this. Therefore the
// proxy of wire.mjs inserts these scripts into each document that passes through it.

/**
 * The name under which the page stores the tests' data. The name is a symbol, so a loop over `window` does not find the
 * data.
 */
export const STATE = "Symbol.for('duet tests')";

/** The address to which a page reports its remaining output when it is left. */
export const LAST_WORDS = 'http://wire.localhost/';

/** Records the page's errors and console lines. */
function listen(name, lastWords) {
  // The tests may already have stored data on the page.
  const state = window[name] ?? { said: [], answers: new Map() };
  if (!(name in window)) Object.defineProperty(window, name, { value: state });
  const beacon = navigator.sendBeacon.bind(navigator);
  const json = (value) => {
    if (typeof value === 'string') return value;
    try { return JSON.stringify(value) ?? String(value); } catch { return String(value); }
  };
  // A test can no longer poll the output that the page writes after `pagehide`.
  let left = false;
  const say = (words) => {
    state.said.push(words);
    if (left) report();
  };
  const report = () => state.said.length > 0 && beacon(lastWords, JSON.stringify(state.said.splice(0)));
  addEventListener('pageshow', () => { left = false; });
  addEventListener('pagehide', () => {
    left = true;
    report();
  });
  const threw = (error) => say({ kind: 'pageerror', text: error?.stack ? `${error}\n${error.stack}` : String(error) });
  addEventListener('error', ({ error, message }) => threw(error ?? message));
  addEventListener('unhandledrejection', ({ reason }) => threw(reason));
  for (const type of ['debug', 'error', 'info', 'log', 'table', 'trace', 'warn']) {
    const write = console[type].bind(console);
    console[type] = (...args) => {
      say({ kind: 'console', type, text: args.map(json).join(' '), args: args.map(json) });
      write(...args);
    };
  }
}

/** Returns a call of a function with its arguments as script text. */
export const applied = (script, args) => `(${script})(${args.map(literal).join()})`;

function literal(value) {
  if (value === undefined || typeof value === 'number') return String(value);
  if (typeof value === 'function') return `(${value})`;
  return JSON.stringify(value).replace(/\u2028|\u2029/g, (mark) => (mark === '\u2028' ? '\\u2028' : '\\u2029'));
}

/** Returns the text of the whole prelude, with the scripts of the test. */
export const prelude = (scripts) => [`(${listen})(${STATE}, '${LAST_WORDS}')`, ...scripts].join(';\n');
