// Who waits for a delivery hears in time.

import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import './names.js'
import { settle, settleInTime, ticket } from '../page/listeners.js'

test('every call that nobody settles is queued in its own time, whichever calls share its task', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  const heard = []
  const report = (id) => {
    const { number, delivery } = ticket('ViewContent')
    delivery.then(({ eventId, status }) => heard.push(eventId + ' ' + status))
    settleInTime(number, id)
    return number
  }
  report('first')
  const second = report('second')
  report('third')
  await null
  mock.timers.tick(5000)
  report('later')
  settle(second, 'second', 'accepted')
  const told = async (ms) => {
    mock.timers.tick(ms)
    await new Promise(setImmediate)
    return heard.splice(0)
  }
  assert.deepEqual(await told(6999), ['second accepted'])
  assert.deepEqual(await told(1), ['first queued', 'third queued'])
  assert.deepEqual(await told(4999), [])
  assert.deepEqual(await told(1), ['later queued'])
  mock.timers.reset()
})
