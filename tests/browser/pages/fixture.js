import * as duet from 'duet-sdk';

window.heard = [];
for (const kind of ['delivery', 'error', 'pixel']) duet.on(kind, (what) => window.heard.push([kind, what]));
window.duet = duet;
