import { Link } from 'wouter'
import { useWords } from '../common/words'

/** What stands at an address where there is nothing. */
export function Nowhere() {
  const { app: words } = useWords()
  return (
    <main style={{ padding: 48 }}>
      <h1>{words.nothing}</h1>
      <p className="muted">
        <Link href="/">{words.makeOne}</Link> {words.instead}
      </p>
    </main>
  )
}
