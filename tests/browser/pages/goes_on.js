// Makes the browser prerender the page in `?prerender=` and waits until that page has made its call. Then reports an event
// with the id in `?id=`, and goes to the address in `?to=`.

import { init, trackDualEvent } from 'duet-sdk';

const query = new URLSearchParams(location.search);
init(JSON.parse(query.get('config')));

const rules = document.createElement('script');
rules.type = 'speculationrules';
rules.nonce = query.get('nonce');
rules.text = JSON.stringify({ prerender: [{ source: 'list', urls: [query.get('prerender')], eagerness: 'immediate' }] });
document.head.append(rules);

const waiting = setInterval(async () => {
  if (!localStorage.getItem('called')) return;
  clearInterval(waiting);
  await trackDualEvent('Contact', {}, { eventId: query.get('id') }).delivery;
  location.href = query.get('to');
}, 50);
