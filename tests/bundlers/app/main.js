// The code of a customer's page. The test has set `window.settings`.

import { init, trackServerViewContent } from 'duet-sdk'

init(window.settings)
const { eventId, delivery } = trackServerViewContent({ contentId: 'pro', contentName: 'Pro', value: 199000 })
window.reported = delivery.then(({ status }) => ({ eventId, status }))
