// The test provides `config`, and the name of the SDK's file in `?sdk=`. The test withholds the SDK's module.

const duet = await import(`/duet-sdk/${new URLSearchParams(location.search).get('sdk')}`);
while (!window.config) await new Promise((next) => setTimeout(next, 10));
duet.init(window.config);
duet.identify({ email: 'early@example.com' });
window.early = duet.trackDualEvent('ViewContent').eventId;
