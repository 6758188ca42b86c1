// The test provides `config` and the SDK's file. The SDK's module never arrives.

const duet = await import(`/duet-sdk/${new URLSearchParams(location.search).get('sdk')}`);
while (!window.config) await new Promise((next) => setTimeout(next, 10));
duet.init(window.config);
duet.identify({ email: 'early@example.com' });
window.early = duet.trackDualEvent('ViewContent').eventId;
