import { useMemo } from 'react'
import { usePalette } from '../common/palette'
import { useWords } from '../common/words'
import { Widget } from '../widgets/Widget'
import style from './Graph.module.css'
import { reveal } from './lying'
import { fits, mayConnect } from './model/check'
import * as commands from './model/commands'
import { graphAt, split } from './model/document'
import { sentence } from './model/form'
import { specOf } from './model/groups'
import type { InputSpec } from './model/nodes'
import { optional, typeable } from './model/ports'
import { currentDocument, perform, select, useGraph } from './store'

/** The graph as a list, in the order it runs: for the keyboard, for a screen reader, for a small screen. */
export function Outline() {
  const { outline: words, edits } = useWords()
  const document = useGraph((state) => state.history.document)
  const group = useGraph((state) => state.group)
  const selected = useGraph((state) => state.selected)
  const nodes = usePalette((state) => state.nodes)
  const steps = graphAt(document, group).steps ?? {}
  const order = useMemo(() => inOrder(steps), [steps])
  if (order.length === 0) return <p className="muted">{words.empty}</p>
  return (
    <ol className={style.outline} aria-label={words.title}>
      {order.map((name) => {
        const step = steps[name]
        const spec = step && specOf(document, nodes, step.node)
        return (
          <li key={name} data-selected={selected.includes(name)}>
            <details
              onToggle={(event) => {
                if (!event.currentTarget.open) return
                select([name])
                reveal([name])
              }}
            >
              <summary>
                <strong>{spec?.title ?? step?.node}</strong> <span className="muted small">{name}</span>
              </summary>
              {spec?.inputs.map((input) => (
                <Line key={input.name} name={name} group={group} input={input} steps={order} />
              ))}
              <button
                type="button"
                className="button"
                onClick={() => perform(edits.delete, commands.remove(group, [name]))}
              >
                {words.delete(spec?.title ?? name)}
              </button>
            </details>
          </li>
        )
      })}
    </ol>
  )
}

interface LineProps {
  name: string
  group: string
  input: InputSpec
  steps: string[]
}

function Line({ name, group, input, steps }: LineProps) {
  const { outline: words, edits } = useWords()
  const document = useGraph((state) => state.history.document)
  const nodes = usePalette((state) => state.nodes)
  const graph = graphAt(document, group)
  const wire = graph.steps?.[name]?.wires?.[input.name] ?? ''
  const id = `outline-${name}-${input.name}`
  const sources = useMemo(() => {
    return steps.flatMap((from) =>
      (specOf(document, nodes, graph.steps?.[from]?.node ?? '')?.outputs ?? [])
        .map((output) => `${from}.${output.name}`)
        .filter((out) => fits(mayConnect(document, nodes, group, out, { step: name, input: input.name }))),
    )
  }, [document, nodes, graph, group, steps, name, input.name])
  const title = (out: string) => {
    const [from, output] = split(out)
    const spec = specOf(currentDocument(), nodes, graph.steps?.[from]?.node ?? '')
    return `${spec?.title ?? from} (${from})${output === 'out' ? '' : `: ${output}`}`
  }
  return (
    <div className={style.port}>
      <label id={`${id}-label`} htmlFor={wire || !typeable(input.port) ? `${id}-wire` : id}>
        {input.required ? sentence(input.name) : words.optional(sentence(input.name))}
      </label>
      {(sources.length > 0 || wire) && (
        <select
          id={`${id}-wire`}
          className="field"
          aria-label={words.from(sentence(input.name))}
          value={wire}
          onChange={(event) =>
            perform(
              event.target.value ? edits.connect : edits.disconnect,
              event.target.value
                ? commands.connect(group, event.target.value, { step: name, input: input.name })
                : commands.disconnect(group, { step: name, input: input.name }),
            )
          }
        >
          <option value="">{typeable(input.port) ? words.typed : words.nothing}</option>
          {wire && !sources.includes(wire) && <option value={wire}>{wire}</option>}
          {sources.map((out) => (
            <option key={out} value={out}>
              {title(out)}
            </option>
          ))}
        </select>
      )}
      {!wire && typeable(input.port) && (
        <Widget
          id={id}
          port={input.port}
          schema={input.schema}
          value={graph.steps?.[name]?.values?.[input.name] ?? input.default}
          optional={optional(input.port)}
          onChange={(value) =>
            perform(
              edits.set(sentence(input.name)),
              commands.setValue(group, name, input.name, value),
              `${group}/${name}.${input.name}`,
            )
          }
        />
      )}
    </div>
  )
}

/** Steps so that each comes after those that feed it. */
function inOrder(steps: Record<string, { wires?: Record<string, string> }>): string[] {
  const found: string[] = []
  const seen = new Set<string>()
  const visit = (name: string) => {
    if (seen.has(name) || !(name in steps)) return
    seen.add(name)
    for (const wire of Object.values(steps[name]?.wires ?? {}))
      if (!wire.startsWith('#')) visit(split(wire)[0])
    found.push(name)
  }
  for (const name of Object.keys(steps)) visit(name)
  return found
}
