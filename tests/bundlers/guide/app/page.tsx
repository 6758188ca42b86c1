// Rendered ahead, while the build runs: there Next.js allows neither chance nor the time of day.
import { trackServerEvent } from 'duet-sdk'

export default function Page() {
  return <p id="server">{trackServerEvent('ViewContent').eventId}</p>
}
