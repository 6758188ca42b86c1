'use client'

import { StrictMode, useEffect } from 'react'
import { init, page, trackServerViewContent } from 'duet-sdk'

function Calls() {
  useEffect(() => {
    init(window.settings)
    page()
    const { eventId, delivery } = trackServerViewContent({ contentId: 'pro', value: 199000, orderId: window.order })
    window.reported ??= delivery.then(({ status }) => ({ eventId, status }))
  }, [])
  return null
}

export const Tracking = () => (
  <StrictMode>
    <Calls />
  </StrictMode>
)
