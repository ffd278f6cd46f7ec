import { ArrowDown, ArrowUp, Check, Copy, Rocket, Trash2 } from 'lucide-react'
import { useMemo, useState } from 'react'
import { Link } from 'wouter'
import { url } from '../api/client'
import { usePalette } from '../common/palette'
import { useWords } from '../common/words'
import { IconButton } from '../widgets/IconButton'
import { say } from './actions'
import ui from './Exposed.module.css'
import { curl, example } from './model/app'
import * as commands from './model/commands'
import { freeName, graphAt, type NamedInput } from './model/document'
import { fields, sentence } from './model/form'
import { specOf } from './model/groups'
import { typeable } from './model/ports'
import { currentDocument, dirty, perform, save, useGraph } from './store'

/** What the workflow shows of itself: the inputs and outputs of its form, and whether that form is an app. */
export function Exposed() {
  const { exposed: words, edits } = useWords()
  const { history, group } = useGraph()
  const graph = graphAt(history.document, group)
  const names = Object.keys(graph.inputs ?? {})
  return (
    <>
      {group === '' && <App />}
      <h2>{words.inputs}</h2>
      {names.length === 0 && <p className="muted small">{words.noInputs}</p>}
      <ol className={ui.list}>
        {names.map((name, place) => (
          <Input key={name} name={name} names={names} place={place} />
        ))}
      </ol>
      <AddInput />
      <h2>{words.outputs}</h2>
      <ul className={ui.list}>
        {Object.entries(graph.outputs ?? {}).map(([name, wire], place, all) => (
          <li key={name} className={ui.row}>
            <Named
              label={words.outputName(name)}
              name={name}
              rename={(to) => perform(edits.renameOutput, commands.renameOutput(group, name, to))}
            />
            <span className={`small muted ${ui.from}`}>{wire}</span>
            <Order
              says={{ up: words.outputUp(name), down: words.outputDown(name), out: words.outputOut(name) }}
              names={all.map(([one]) => one)}
              place={place}
              move={(before) => perform(edits.order, commands.reorderOutput(group, name, before))}
              hide={() => perform(edits.hide, commands.hideOutput(group, name))}
            />
          </li>
        ))}
      </ul>
      <AddOutput />
    </>
  )
}

interface OrderProps {
  says: { up: string; down: string; out: string }
  names: string[]
  place: number
  /** Put it before another, or last. */
  move: (before: string | null) => void
  hide: () => void
}

/** The buttons that move one of several up and down, and take it away. */
function Order({ says, names, place, move, hide }: OrderProps) {
  return (
    <>
      <IconButton
        label={says.up}
        icon={ArrowUp}
        size={14}
        disabled={place === 0}
        onClick={() => move(names[place - 1] ?? null)}
      />
      <IconButton
        label={says.down}
        icon={ArrowDown}
        size={14}
        disabled={place === names.length - 1}
        onClick={() => move(names[place + 2] ?? null)}
      />
      <IconButton label={says.out} icon={Trash2} size={14} onClick={hide} />
    </>
  )
}

function Input({ name, names, place }: { name: string; names: string[]; place: number }) {
  const { exposed: words, edits } = useWords()
  const { history, group } = useGraph()
  const nodes = usePalette((state) => state.nodes)
  const [open, setOpen] = useState(false)
  const input = graphAt(history.document, group).inputs?.[name]
  const port = useMemo(
    () => fields(history.document, nodes).find((one) => one.name === name)?.port,
    [history, nodes, name],
  )
  if (!input) return null
  const set = (change: Partial<NamedInput>, what: string) =>
    perform(what, commands.setInput(group, name, change), `${what} ${name}`)
  const number = port?.type === 'scalar' && (port.name === 'int' || port.name === 'float')
  return (
    <li className={ui.card}>
      <div className={ui.row}>
        <button type="button" className={ui.title} aria-expanded={open} onClick={() => setOpen(!open)}>
          <strong>{input.title || sentence(name)}</strong>
          <span className="small muted">{input.to.join(', ')}</span>
        </button>
        <Order
          says={{ up: words.up(name), down: words.down(name), out: words.out(name) }}
          names={names}
          place={place}
          move={(before) => perform(edits.order, commands.reorderInput(group, name, before))}
          hide={() => perform(edits.hide, commands.hideInput(group, name))}
        />
      </div>
      {open && (
        <div className={ui.more}>
          <label>
            <span className="small muted">{words.label}</span>
            <input
              className="field"
              aria-label={words.labelOf(name)}
              value={input.title ?? ''}
              placeholder={sentence(name)}
              onChange={(event) => set({ title: event.target.value }, edits.label)}
            />
          </label>
          <div className={ui.name}>
            <span className="small muted">{words.program}</span>
            <Named
              label={words.nameOf(name)}
              name={name}
              rename={(to) => perform(edits.renameInput, commands.renameInput(group, name, to))}
            />
          </div>
          <label>
            <span className="small muted">{words.help}</span>
            <input
              className="field"
              aria-label={words.helpOf(name)}
              value={input.help ?? ''}
              onChange={(event) => set({ help: event.target.value }, edits.help)}
            />
          </label>
          <label>
            <span className="small muted">{words.section}</span>
            <input
              className="field"
              aria-label={words.sectionOf(name)}
              list="sections"
              value={input.section ?? ''}
              placeholder={words.atTop}
              onChange={(event) => set({ section: event.target.value }, edits.section)}
            />
          </label>
          {number && (
            <div className={ui.two}>
              {(['least', 'most'] as const).map((limit) => (
                <label key={limit}>
                  <span className="small muted">{words[limit]}</span>
                  <input
                    className="field"
                    type="number"
                    step="any"
                    aria-label={limit === 'least' ? words.leastOf(name) : words.mostOf(name)}
                    value={input[limit] ?? ''}
                    onChange={({ target }) =>
                      perform(
                        edits.limit,
                        commands.setInput(group, name, {
                          [limit]: target.value === '' ? undefined : target.valueAsNumber,
                        }),
                        `${limit} ${name}`,
                      )
                    }
                  />
                </label>
              ))}
            </div>
          )}
        </div>
      )}
    </li>
  )
}

/** A name that is taken over when it is left, if it can be. */
function Named({ label, name, rename }: { label: string; name: string; rename: (to: string) => void }) {
  return (
    <input
      key={name}
      className="field"
      aria-label={label}
      defaultValue={name}
      spellCheck={false}
      onKeyDown={(event) => event.key === 'Enter' && event.currentTarget.blur()}
      onBlur={(event) => {
        const to = event.target.value.trim()
        if (to === name || to === '') return
        rename(to)
        if (useGraph.getState().said) event.target.value = name
      }}
    />
  )
}

function AddInput() {
  const { exposed: words, edits } = useWords()
  const { history, group } = useGraph()
  const nodes = usePalette((state) => state.nodes)
  const graph = graphAt(history.document, group)
  const shown = new Set(Object.values(graph.inputs ?? {}).flatMap((one) => one.to))
  const steps = Object.entries(graph.steps ?? {}).flatMap(([step, { node, wires }]) => {
    const inputs = specOf(history.document, nodes, node)?.inputs ?? []
    const free = inputs.filter(
      ({ name, port }) => typeable(port) && !wires?.[name] && !shown.has(`${step}.${name}`),
    )
    return free.length > 0 && node !== 'note' ? [{ step, inputs: free.map(({ name }) => name) }] : []
  })
  const sections = [...new Set(Object.values(graph.inputs ?? {}).flatMap(({ section }) => section ?? []))]
  return (
    <>
      <select
        className="field"
        aria-label={words.addInputTo}
        value=""
        onChange={({ target }) => {
          const [, input = ''] = target.value.split('.')
          perform(edits.expose, commands.expose(group, freeName(input, graph.inputs ?? {}), target.value))
        }}
      >
        <option value="">{words.addInput}</option>
        {steps.map(({ step, inputs }) => (
          <optgroup key={step} label={step}>
            {inputs.map((input) => (
              <option key={input} value={`${step}.${input}`}>
                {sentence(input)}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      <datalist id="sections">
        {sections.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </datalist>
    </>
  )
}

function AddOutput() {
  const { exposed: words, edits } = useWords()
  const { history, group } = useGraph()
  const nodes = usePalette((state) => state.nodes)
  const graph = graphAt(history.document, group)
  const shown = new Set(Object.values(graph.outputs ?? {}))
  const wires = Object.entries(graph.steps ?? {}).flatMap(([step, { node }]) =>
    (specOf(history.document, nodes, node)?.outputs ?? []).map(({ name }) => `${step}.${name}`),
  )
  return (
    <select
      className="field"
      aria-label={words.addOutputTo}
      value=""
      onChange={({ target }) => {
        const [step = '', out = ''] = target.value.split('.')
        const name = freeName(out === 'out' ? step : out, graph.outputs ?? {})
        perform(edits.expose, commands.exposeOutput(group, name, target.value))
      }}
    >
      <option value="">{words.addOutput}</option>
      {wires
        .filter((wire) => !shown.has(wire))
        .map((wire) => (
          <option key={wire}>{wire}</option>
        ))}
    </select>
  )
}

/** Publish it: a form on Create and a route of its own, whose line for a terminal stands here. */
function App() {
  const { exposed: words, edits } = useWords()
  const state = useGraph()
  const { history, name, saved } = state
  const nodes = usePalette((one) => one.nodes)
  const [busy, setBusy] = useState(false)
  const document = history.document
  const published = name !== '' && document.published !== false && saved.length > 0
  const changed = useMemo(() => dirty(state), [state])
  const store = async (yes: boolean) => {
    setBusy(true)
    perform(yes ? edits.publish : edits.unpublish, commands.setPublished(yes))
    try {
      await save(name || nameOf(currentDocument().title ?? ''))
    } catch (error) {
      say(error)
    }
    setBusy(false)
  }
  const line = curl(url(`/api/apps/${encodeURIComponent(name)}`), example(document, nodes))
  return (
    <section className={ui.app} aria-label={words.app}>
      <div className="spread">
        <h2 className="grow">{published ? words.isApp : words.makeApp}</h2>
        {published ? (
          <button type="button" className="button" disabled={busy} onClick={() => void store(false)}>
            {words.unpublish}
          </button>
        ) : (
          <button
            type="button"
            className="button main"
            disabled={busy || Object.keys(document.steps ?? {}).length === 0}
            onClick={() => void store(true)}
          >
            <Rocket size={16} aria-hidden="true" /> {words.publish}
          </button>
        )}
      </div>
      {published ? (
        <>
          <p className="small">
            <Link href={`/?workflow=${encodeURIComponent(name)}`}>{words.form}</Link> ·{' '}
            <a href={url('/docs')}>{words.description}</a>
          </p>
          <Line text={line} />
          {changed && (
            <div className="spread">
              <span className="small muted grow">{words.asSaved}</span>
              <button type="button" className="button" disabled={busy} onClick={() => void store(true)}>
                {words.publishChanges}
              </button>
            </div>
          )}
        </>
      ) : (
        <p className="small muted">{words.says}</p>
      )}
    </section>
  )
}

function Line({ text }: { text: string }) {
  const { exposed: words } = useWords()
  const [copied, setCopied] = useState(false)
  return (
    <div className={ui.line}>
      <code data-testid="curl">{text}</code>
      <button
        type="button"
        className="button icon plain"
        aria-label={words.copyLine}
        onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
      >
        {copied ? <Check size={14} aria-hidden="true" /> : <Copy size={14} aria-hidden="true" />}
      </button>
    </div>
  )
}

/** What a workflow of this title is called in the library. */
function nameOf(title: string): string {
  return freeName(title.trim().toLowerCase().replace(/\s+/g, '_') || 'app', {})
}
