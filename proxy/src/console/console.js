// Keeps the page up to date. The server makes all HTML. This script replaces parts of the HTML by their ids, keeps the focus
// and the opened parts, shows times in the reader's time zone, and handles keys. Without the script, the page is complete but
// does not change.

const policy = window.trustedTypes?.createPolicy('duet', { createHTML: (html) => html });
const $ = (selector) => document.querySelector(selector);
const wide = window.matchMedia('(min-width: 48rem)');
const main = $('main[data-live]');

/** Returns the elements of HTML from the server, with times in the reader's time zone. */
function parsed(html) {
  const template = document.createElement('template');
  template.innerHTML = policy ? policy.createHTML(html) : html;
  localise(template.content);
  unfold(template.content);
  return [...template.content.children];
}

function localise(root) {
  const shown = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'short', timeStyle: 'medium' });
  for (const time of root.querySelectorAll('time')) {
    time.title = time.dateTime;
    time.textContent = shown.format(new Date(time.dateTime));
  }
  const buttons = navigator.clipboard ? '[data-post], [data-copy]' : '[data-post]';
  for (const element of root.querySelectorAll(buttons)) element.hidden = false;
}

/** Opens all sections on a wide screen. On a narrow one, the reader opens them. */
function unfold(root) {
  if (wide.matches) for (const fold of root.querySelectorAll('details')) fold.open = true;
}

/** Opens the section that the address names, and scrolls to it. */
function reveal() {
  const named = document.getElementById(window.location.hash.slice(1));
  for (const fold of [named?.closest('details'), named?.querySelector(':scope > details')]) if (fold) fold.open = true;
  named?.scrollIntoView();
}

/** Makes `old` equal to `next`, and changes only the elements that differ. A section stays open or folded as the reader left it. */
function morph(old, next) {
  if (old.isEqualNode(next)) return;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== next.nodeName || old.id !== next.id) {
    old.replaceWith(next);
    return;
  }
  for (const { name } of [...old.attributes]) if (name !== 'open' && !next.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of next.attributes) if (name !== 'open' && old.getAttribute(name) !== value) old.setAttribute(name, value);
  const known = new Map([...old.children].filter(({ id }) => id).map((child) => [child.id, child]));
  let at = old.firstChild;
  for (const child of [...next.childNodes]) {
    const same = child.id && known.get(child.id);
    if (same && same !== at) old.insertBefore(same, at);
    if (same) at = same;
    if (!at || (child.id && !same) || (!child.id && at.id)) {
      old.insertBefore(child, at);
    } else {
      const after = at.nextSibling;
      morph(at, child);
      at = after;
    }
  }
  while (at) {
    const after = at.nextSibling;
    at.remove();
    at = after;
  }
}

let source;

function connect() {
  source = new EventSource(main.dataset.live);
  source.onmessage = ({ data }) => {
    for (const next of parsed(data)) {
      const old = document.getElementById(next.id);
      if (old) morph(old, next);
    }
  };
  source.onopen = () => { $('#offline').hidden = true; };
  source.onerror = () => {
    $('#offline').hidden = false;
    // If the server refuses the connection, the session has ended. Load the page again, which then shows the sign-in form.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => window.location.reload(), 10_000);
  };
}

function pause() {
  const button = $('#pause');
  const pauses = button.getAttribute('aria-pressed') === 'false';
  button.setAttribute('aria-pressed', String(pauses));
  const time = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: 'medium' }).format();
  $('#paused').textContent = pauses ? button.dataset.since.replace('{time}', time) : '';
  if (pauses) source.close();
  else connect();
}

/** Moves the focus to the next or the previous row. */
function step(by) {
  const rows = [...document.querySelectorAll('details[open] a.row')];
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1);
  rows[next]?.focus();
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  r: () => document.activeElement.closest('tr')?.querySelector('a.verb')?.click(),
  p: pause,
  '/': () => $('#search').focus(),
  '?': () => $('#help').showModal(),
  Escape: () => $('a.close')?.click(),
};

/** Asks the server for a change. The header proves that this script asks, because other pages cannot send it. */
async function change(button) {
  const { post, body = '', then, done, failed } = button.dataset;
  button.disabled = true;
  const headers = { 'X-Duet-Console': '1', 'Content-Type': 'application/json' };
  const answer = await fetch(post, { method: 'POST', headers, body }).catch(() => undefined);
  if (answer?.ok && then) {
    window.location.assign(then);
    return;
  }
  const told = answer?.ok ? await answer.json() : undefined;
  const result = $('#result');
  if (result) result.textContent = told ? done.replace('{n}', told.letters) : failed;
  if (told) button.hidden = true;
  else button.disabled = false;
}

let waits;

/**
 * Asks the server for a change: at once, or after ten seconds if the change can be undone. A second click, or leaving the page,
 * cancels a change that waits.
 */
function ask(button) {
  const { undo } = button.dataset;
  if (!undo) {
    change(button);
    return;
  }
  const swap = () => {
    [button.textContent, button.dataset.undo] = [button.dataset.undo, button.textContent];
    waits = undefined;
  };
  clearTimeout(waits);
  const isUndone = waits !== undefined;
  swap();
  if (isUndone) return;
  waits = setTimeout(() => {
    swap();
    change(button);
  }, 10_000);
}

if (main) {
  localise(document);
  unfold(document);
  reveal();
  wide.addEventListener('change', () => unfold(document));
  window.addEventListener('hashchange', reveal);
  for (const id of ['#pause', '#help-button']) $(id).hidden = false;
  $('#pause').addEventListener('click', pause);
  $('#help-button').addEventListener('click', keys['?']);
  document.addEventListener('click', ({ target }) => {
    const button = target.closest?.('[data-post], [data-copy]');
    if (button?.dataset.copy) navigator.clipboard.writeText($(button.dataset.copy).innerText);
    else if (button) ask(button);
  });
  document.addEventListener('keydown', (event) => {
    const typed = event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.('input, dialog');
    const act = keys[event.key];
    if (typed || !act) return;
    event.preventDefault();
    act();
  });
  connect();
}
