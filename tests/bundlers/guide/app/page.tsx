// Next.js renders this page during the build. At that time Next.js does not allow random numbers or the current time.
import { trackServerEvent } from 'duet-sdk'

export default function Page() {
  return <p id="server">{trackServerEvent('ViewContent').eventId}</p>
}
