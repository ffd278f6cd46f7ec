import { SquareArrowOutUpRight } from 'lucide-react'
import { send, url } from '../api/client'
import type { Template } from '../api/types'
import { useAsked } from '../common/asked'
import { useWords } from '../common/words'
import { say } from './actions'
import style from './Help.module.css'
import { graphs } from './model/document'
import { sentence } from './model/form'
import { details, limits } from './model/help'
import { type NodeSpec, summary } from './model/nodes'
import { words } from './model/ports'
import { address, currentDocument, enter, select, show } from './store'
import { front } from './tabs'

/** What a node does, what it takes, and a workflow in which it is at work. */
export function Help({ spec }: { spec: NodeSpec }) {
  const { help: says } = useWords()
  const own = spec.id.startsWith('group/') || spec.id.startsWith('flow/')
  const { value } = useAsked<{ examples: Template[] }>(
    own ? null : `/api/nodes/${spec.id.split('/').map(encodeURIComponent).join('/')}/examples`,
  )
  return (
    <details open className={style.help}>
      <summary>{says.title}</summary>
      <p lang="en">{summary(spec)}</p>
      {details(spec).map((part) => (
        <p key={part} lang="en" className="muted small">
          {part}
        </p>
      ))}
      {spec.inputs.length > 0 && (
        <>
          <h3>{says.inputs}</h3>
          <dl>
            {spec.inputs.map((input) => (
              <div key={input.name}>
                <dt>{sentence(input.name)}</dt>
                <dd>
                  {typeof input.schema.description === 'string' && (
                    <span lang="en">{input.schema.description} </span>
                  )}
                  <span className="muted">{limits(input)}</span>
                </dd>
              </div>
            ))}
          </dl>
        </>
      )}
      {spec.outputs.length > 0 && (
        <>
          <h3>{says.gives}</h3>
          <p className="small">
            {spec.outputs
              .map(({ name, port }) => (name === 'out' ? words(port) : `${sentence(name)}: ${words(port)}`))
              .join(' · ')}
          </p>
        </>
      )}
      {value && value.examples.length > 0 && <Examples examples={value.examples} node={spec.id} />}
    </details>
  )
}

function Examples({ examples: [first, ...more], node }: { examples: Template[]; node: string }) {
  const { help: says } = useWords()
  if (!first) return null
  return (
    <>
      <h3>{says.atWork}</h3>
      <figure className={style.example}>
        {first.pictured && (
          <img
            src={url(`/api/templates/${first.name}/picture`)}
            alt={says.made(first.title)}
            loading="lazy"
          />
        )}
        <figcaption>
          <strong>{first.title}</strong>
          {first.says && <span className="muted small">{first.says}</span>}
        </figcaption>
        <button type="button" className="button" onClick={() => void open(first, node).catch(say)}>
          <SquareArrowOutUpRight size={14} aria-hidden="true" /> {says.open}
        </button>
      </figure>
      {more.length > 0 && (
        <p className={`small ${style.more}`}>
          <span className="muted">{says.alsoIn}</span>
          {more.map((one) => (
            <button key={one.name} type="button" onClick={() => void open(one, node).catch(say)}>
              {one.title}
            </button>
          ))}
        </p>
      )}
    </>
  )
}

/** Show the workflow in a tab of its own, with the node selected; what is open stays open. */
async function open({ name }: Template, node: string): Promise<void> {
  if (!(await front(name))) {
    const response = await send(address(name))
    await show(name, response.headers.get('ETag'), await response.text())
  }
  for (const [group, { steps = {} }] of graphs(currentDocument())) {
    const found = Object.keys(steps).find((step) => steps[step]?.node === node)
    if (found === undefined) continue
    enter(group)
    select([found])
    return
  }
}
