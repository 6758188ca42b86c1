// Reports an event with the id `?id=` while the page loads. `?config=` is the argument of init().

import { init, trackDualEvent } from 'duet-sdk';

const query = new URLSearchParams(location.search);
init(JSON.parse(query.get('config')));
const description = document.prerendering ? 'called while prerendering' : 'called when shown';
trackDualEvent('ViewContent', { description }, { eventId: query.get('id') });
localStorage.setItem('called', description);
