import * as duet from 'duet-sdk';

duet.identify({ email: 'early@example.com' });
window.early = [
  duet.trackDualEvent('ViewContent'),
  duet.trackServerInitiateCheckout({ planId: 'exam', value: 199000, orderId: crypto.randomUUID() }),
  duet.trackServerSubscribe({ planId: 'exam', value: 199000 }, { eventId: `own:${crypto.randomUUID()}` }),
].map(({ eventId }) => eventId);
window.vector = duet.eventIdFor('Subscribe', 'PHO7K3M9Q2X');
