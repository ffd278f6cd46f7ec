import { useEffect, useState } from 'react'
import { ask, send } from '../api/client'
import type { Versions as Listed, Version } from '../api/types'
import { ago } from '../common/typical'
import { useWords } from '../common/words'
import { say } from './actions'
import { Differences } from './Differences'
import style from './Graph.module.css'
import { type Document, read, write } from './model/document'
import { replaced } from './model/history'
import { address, newTab, perform, show, useGraph } from './store'
import own from './Tabs.module.css'

/** Every version that was saved of this workflow: what is different, to be looked at and restored. */
export function Versions() {
  const { name, etag, history } = useGraph()
  const { versions: words, edits } = useWords()
  const [versions, setVersions] = useState<Version[]>([])
  const [opened, open] = useState<number | null>(null)
  const [against, setAgainst] = useState<number | null>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: every save makes another version
  useEffect(() => {
    open(null)
    setAgainst(null)
    if (name === '') return setVersions([])
    ask<Listed>(`${address(name)}/versions`)
      .then((found) => setVersions(found.versions.filter((one) => !one.deleted)))
      .catch(say)
  }, [name, etag])
  const document = useVersion(name, opened)
  const other = useVersion(name, against) ?? (against === null ? history.document : null)
  if (name === '') return <p className="muted">{words.saveFirst}</p>
  return (
    <ol className={style.list} aria-label={words.title}>
      {versions.map((one, at) => (
        <li key={one.version}>
          <button
            type="button"
            className={own.version}
            aria-expanded={opened === one.version}
            onClick={() => open(opened === one.version ? null : one.version)}
          >
            <strong className="grow">{one.shipped ? words.shipped : words.version(one.version)}</strong>
            <span className="small muted">{at === 0 ? words.newest : one.shipped ? '' : ago(one.saved)}</span>
          </button>
          {opened === one.version && (
            <div className={own.opened}>
              <label className="small muted">
                {words.with}
                <select
                  className="field"
                  value={against ?? ''}
                  onChange={(event) =>
                    setAgainst(event.target.value === '' ? null : Number(event.target.value))
                  }
                >
                  <option value="">{words.screen}</option>
                  {versions
                    .filter((each) => each !== one)
                    .map((each) => (
                      <option key={each.version} value={each.version}>
                        {each.shipped ? words.asShipped : words.aVersion(each.version)}
                      </option>
                    ))}
                </select>
              </label>
              {document && other && (
                <Differences
                  {...(against !== null && against < one.version
                    ? { from: other, to: document }
                    : { from: document, to: other })}
                  label={words.since}
                />
              )}
              {document && (
                <div className={own.actions}>
                  <button
                    type="button"
                    className="button"
                    title={words.restoreSays}
                    onClick={() => perform(edits.restore, replaced(document))}
                  >
                    {words.restore}
                  </button>
                  <button
                    type="button"
                    className="button"
                    onClick={() => void show('', null, write(document), { tab: newTab() }).catch(say)}
                  >
                    {words.inTab}
                  </button>
                </div>
              )}
            </div>
          )}
        </li>
      ))}
    </ol>
  )
}

function useVersion(name: string, version: number | null): Document | null {
  const [found, find] = useState<{ of: string; document: Document } | null>(null)
  const of = `${name} ${version}`
  useEffect(() => {
    if (version === null) return
    send(`${address(name)}?version=${version}`)
      .then((answer) => answer.text())
      .then((text) => find({ of: `${name} ${version}`, document: read(text) }))
      .catch(say)
  }, [name, version])
  return found?.of === of ? found.document : null
}
