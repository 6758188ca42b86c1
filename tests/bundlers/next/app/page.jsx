// A server component. On the server every call does nothing, but still returns an id.
import { eventIdFor, trackServerEvent } from 'duet-sdk'

export default function Page() {
  const { eventId } = trackServerEvent('ViewContent', {}, { eventId: 'on-the-server' })
  return <p id="server">{eventId + ' ' + eventIdFor('Subscribe', 'PHO7K3M9Q2X')}</p>
}
