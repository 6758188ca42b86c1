// Run by Jest and Vitest, whose globals are the same.

test('every call does nothing, and answers with an id', async () => {
  const duet = require('duet-sdk')
  await duet.init({ pixelId: 'C4ABCDEFGHIJ0123456789' })
  const { eventId, delivery } = duet.trackDualEvent('Subscribe', {}, { orderId: 'PHO7K3M9Q2X' })
  expect(eventId).toBe('8dfcc057-77d8-88a5-b01a-e0d0586f4129')
  expect(duet.eventIdFor('Subscribe', 'đơn-01')).toBe('6642a098-f1c4-8b16-b168-8fa3893ea5d9')
  expect((await delivery).status).toBe('off')
  const [one, other] = [1, 2].map(() => duet.trackServerViewContent({ contentId: 'pro' }).eventId)
  expect(one).not.toBe(other)
})
