import { Tracking } from './tracking'

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <Tracking />
        {children}
      </body>
    </html>
  )
}
