// With React's development build, strict mode mounts every component, unmounts it, and mounts it again.

import { StrictMode, useEffect } from 'react'
import { createRoot } from 'react-dom/client'
import { init, page, trackServerViewContent } from 'duet-sdk'
import { Product } from './product.jsx'

window.mounts = 0

function Shop() {
  useEffect(() => {
    window.mounts += 1
    init(window.settings)
    page()
    const { eventId, delivery } = trackServerViewContent({ contentId: 'pro', value: 199000, orderId: window.order })
    window.reported ??= delivery.then(({ status }) => ({ eventId, status }))
  }, [])
  return null
}

const container = document.body.appendChild(document.createElement('div'))
createRoot(container).render(
  <StrictMode>
    <Shop />
    <Product id="strict" name="Strict" value={1000} />
  </StrictMode>,
)
