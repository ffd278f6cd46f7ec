import { lazy, Suspense, useEffect } from 'react'
import { Route, Router, Switch, useLocation } from 'wouter'
import { ROOT } from '../api/client'
import { EVERYWHERE, useKeys, useOverlay } from '../common/actions'
import { fetchMode } from '../common/mode'
import { followNodes } from '../common/palette'
import { follow } from '../common/runs'
import { Toasts } from '../common/Toasts'
import { useWords } from '../common/words'
import { Create } from '../create/Create'
import { Notice } from './Notice'
import { Nowhere } from './Nowhere'
import { Opening } from './Opening'
import { TopBar } from './TopBar'

const overlays = () => import('./Overlays')
const Overlays = lazy(overlays)
const Models = lazy(() => import('../models/Models').then(({ Models }) => ({ default: Models })))
const Gallery = lazy(() => import('../gallery/Gallery').then(({ Gallery }) => ({ default: Gallery })))
const Comparisons = lazy(() =>
  import('../gallery/Comparisons').then(({ Comparisons }) => ({ default: Comparisons })),
)
const Comparison = lazy(() =>
  import('../gallery/Comparison').then(({ Comparison }) => ({ default: Comparison })),
)
const Picture = lazy(() => import('../gallery/Picture').then(({ Picture }) => ({ default: Picture })))
const Graph = lazy(() => import('../graph/Graph').then(({ Graph }) => ({ default: Graph })))
const Queue = lazy(() => import('../queue/Queue').then(({ Queue }) => ({ default: Queue })))
const Settings = lazy(() => import('../settings/Settings').then(({ Settings }) => ({ default: Settings })))

/** The whole app: one bar, and the page of the address. */
export function App() {
  const { app: words } = useWords()
  const { overlay } = useOverlay()
  useKeys('everywhere', EVERYWHERE)
  const [place] = useLocation()
  useEffect(() => {
    if (place.includes('/graph')) void overlays() // where it is wanted often
  }, [place])
  useEffect(() => {
    follow()
    void followNodes()
    void fetchMode()
  }, [])
  return (
    <Router base={ROOT.pathname.replace(/\/$/, '')}>
      <TopBar />
      <Switch>
        <Route path="/">
          <Create />
        </Route>
        {['/graph', '/graph/:name'].map((path) => (
          <Route key={path} path={path}>
            <Suspense fallback={<main className="muted">{words.opening}</main>}>
              <Graph />
            </Suspense>
          </Route>
        ))}
        <Route path="/queue">
          <Suspense fallback={<main className="muted">{words.opening}</main>}>
            <Queue />
          </Suspense>
        </Route>
        <Route path="/models">
          <Suspense fallback={<main className="muted">{words.opening}</main>}>
            <Models />
          </Suspense>
        </Route>
        <Route path="/gallery">
          <Suspense fallback={<main className="muted">{words.opening}</main>}>
            <Gallery />
          </Suspense>
        </Route>
        <Route path="/comparisons">
          <Suspense fallback={<main className="muted">{words.opening}</main>}>
            <Comparisons />
          </Suspense>
        </Route>
        <Route path="/comparisons/:id">
          <Suspense fallback={<main className="muted">{words.opening}</main>}>
            <Comparison />
          </Suspense>
        </Route>
        <Route path="/images/:id">
          <Suspense fallback={<main className="muted">{words.opening}</main>}>
            <Picture />
          </Suspense>
        </Route>
        <Route path="/settings">
          <Suspense fallback={<main className="muted">{words.opening}</main>}>
            <Settings />
          </Suspense>
        </Route>
        <Route>
          <Nowhere />
        </Route>
      </Switch>
      <Notice />
      <Toasts />
      {overlay && (
        <Suspense fallback={overlay === 'palette' && <Opening />}>
          <Overlays />
        </Suspense>
      )}
    </Router>
  )
}
