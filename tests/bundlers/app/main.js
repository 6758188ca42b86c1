// What a customer writes; the test has put `settings` on the page.

import { init, trackServerViewContent } from 'duet-sdk'

init(window.settings)
const { eventId, delivery } = trackServerViewContent({ contentId: 'pro', contentName: 'Pro', value: 199000 })
window.reported = delivery.then(({ status }) => ({ eventId, status }))
