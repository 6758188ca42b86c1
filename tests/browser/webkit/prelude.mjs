// The scripts that run on a page of WebKit before its own: WebDriver has no command for that, so the wire puts them into the
// documents that pass through it.

/** The name under which a page keeps what the tests know of it: a symbol, so that no walk over `window` meets it. */
export const STATE = "Symbol.for('duet tests')";

/** Where a page reports what it could not tell the tests before it was left. */
export const LAST_WORDS = 'http://wire.localhost/';

/** Writes down what the page throws and what it says on its console. */
function listen(name, lastWords) {
  // The tests may have asked for the page already.
  const state = window[name] ?? { said: [], answers: new Map() };
  if (!(name in window)) Object.defineProperty(window, name, { value: state });
  const beacon = navigator.sendBeacon.bind(navigator);
  const json = (value) => {
    if (typeof value === 'string') return value;
    try { return JSON.stringify(value) ?? String(value); } catch { return String(value); }
  };
  // What is said after the page was told that it is left, nobody will ask for.
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

/** A function and its arguments as a piece of script. */
export const applied = (script, args) => `(${script})(${args.map(literal).join()})`;

function literal(value) {
  if (value === undefined || typeof value === 'number') return String(value);
  if (typeof value === 'function') return `(${value})`;
  return JSON.stringify(value).replace(/\u2028|\u2029/g, (mark) => (mark === '\u2028' ? '\\u2028' : '\\u2029'));
}

/** The text of the whole prelude, with the scripts that the test gave. */
export const prelude = (scripts) => [`(${listen})(${STATE}, '${LAST_WORDS}')`, ...scripts].join(';\n');
