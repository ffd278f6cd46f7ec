import { Grid3x3 } from 'lucide-react'
import { useEffect, useMemo, useState } from 'react'
import { usePalette } from '../common/palette'
import { seconds } from '../common/typical'
import { useWords, words } from '../common/words'
import { Tokens } from '../create/Tokens'
import { Missing, useMissing } from '../models/Missing'
import { IconButton } from '../widgets/IconButton'
import { Widget } from '../widgets/Widget'
import { Exposed } from './Exposed'
import style from './Graph.module.css'
import { Help } from './Help'
import { reveal } from './lying'
import { troubles } from './model/check'
import * as commands from './model/commands'
import { freeName, graphAt } from './model/document'
import { sentence } from './model/form'
import { specOf } from './model/groups'
import { readerOf, type Wanted } from './model/models'
import { type Json, optional, typeable } from './model/ports'
import { kindOf } from './model/sweep'
import { useReport, useWrong } from './reports'
import { askSweep } from './Sweep'
import { enter, perform, select, useGraph } from './store'
import { Versions } from './Versions'

const TABS = ['node', 'exposed', 'issues', 'versions'] as const

/** Everything about what is selected, what the workflow shows of itself, and what is wrong with it. */
export function Inspector() {
  const [tab, setTab] = useState<(typeof TABS)[number]>('node')
  const { inspector: says } = useWords()
  const document = useGraph((state) => state.history.document)
  const nodes = usePalette((state) => state.nodes)
  const wrong = useMemo(() => troubles(document, nodes), [document, nodes])
  const missing = useMissing(document)
  const instead = (one: Wanted, name: string) =>
    perform(
      words().edits.use(name),
      commands.all(...one.by.map((at) => commands.setValue(at.group, at.step, at.input, name))),
    )
  const count = wrong.length + missing.length
  const opened = useGraph((state) => state.opened)
  const lacks = missing.length > 0
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is said once for each workflow that is opened
  useEffect(() => {
    if (lacks) setTab('issues')
  }, [opened, lacks])
  return (
    <aside className={style.inspector} aria-label={says.title}>
      <div role="tablist" aria-label={says.title} className={style.tabs}>
        {TABS.map((word) => (
          <button
            key={word}
            type="button"
            role="tab"
            aria-selected={word === tab}
            className={style.word}
            onClick={() => setTab(word)}
          >
            {says[word]}
            {word === 'issues' && count > 0 && <span className={style.badge}>{count}</span>}
          </button>
        ))}
      </div>
      <div role="tabpanel" className={style.body}>
        {tab === 'node' && <Chosen />}
        {tab === 'exposed' && <Exposed />}
        {tab === 'versions' && <Versions />}
        {tab === 'issues' && <Missing models={missing} document={document} use={instead} />}
        {tab === 'issues' && (
          <ul className={style.list}>
            {wrong.length + missing.length === 0 && <li className="muted">{says.fine}</li>}
            {wrong.map((one) => (
              <li key={`${one.group} ${one.step} ${one.input} ${one.says}`}>
                <button
                  type="button"
                  className={style.node}
                  onClick={() => {
                    enter(one.group)
                    select([one.step])
                    reveal([one.step])
                  }}
                >
                  <strong>{[one.step, one.input && sentence(one.input)].filter(Boolean).join(' · ')}</strong>
                  <span className="small">{one.says}</span>
                </button>
              </li>
            ))}
          </ul>
        )}
      </div>
    </aside>
  )
}

function Chosen() {
  const { inspector: says, edits, sweep } = useWords()
  const { history, group, selected } = useGraph()
  const nodes = usePalette((state) => state.nodes)
  const [name] = selected
  const step = name === undefined ? undefined : graphAt(history.document, group).steps?.[name]
  if (selected.length > 1) return <p className="muted">{says.several(selected.length)}</p>
  if (!step || name === undefined) return <p className="muted">{says.none}</p>
  const spec = specOf(history.document, nodes, step.node)
  const graph = graphAt(history.document, group)
  return (
    <>
      <h2>{spec?.title ?? step.node}</h2>
      <label className={style.port}>
        <span className="small muted">{says.name}</span>
        <input
          className="field"
          defaultValue={name}
          key={name}
          onBlur={(event) => {
            const given = event.target.value.trim()
            if (given === name || given === '') return
            perform(edits.rename, commands.rename(group, name, given))
            if (useGraph.getState().said === '') select([given])
            else event.target.value = name
          }}
        />
      </label>
      <LastRun name={name} group={group} />
      {step.node.startsWith('group/') && (
        <button type="button" className="button" onClick={() => enter(step.node.slice('group/'.length))}>
          {says.openGroup}
        </button>
      )}
      {spec?.inputs.map((input) => {
        const id = `inspect-${name}-${input.name}`
        const port = `${name}.${input.name}`
        const shown = Object.entries(graph.inputs ?? {}).find(([, one]) => one.to.includes(port))?.[0]
        const wire = step.wires?.[input.name]
        return (
          <div key={input.name} className={style.port}>
            <div className="spread">
              <label
                id={`${id}-label`}
                htmlFor={id}
                className="grow small muted"
                title={typeof input.schema.description === 'string' ? input.schema.description : undefined}
              >
                {sentence(input.name)}
              </label>
              {group === '' && input.schema['x-widget'] === 'text' && !wire && (
                <Counted port={port} text={step.values?.[input.name] ?? input.default} />
              )}
              {!wire && kindOf(input.port, input.schema) && (
                <IconButton
                  label={sweep.of(sentence(input.name))}
                  icon={Grid3x3}
                  size={13}
                  className={`plain ${style.vary}`}
                  title={sweep.title}
                  onClick={() => askSweep({ group, to: port })}
                />
              )}
              {typeable(input.port) && (
                <label className={`small ${style.show}`}>
                  <input
                    type="checkbox"
                    checked={shown !== undefined}
                    onChange={() =>
                      perform(
                        shown ? edits.hide : edits.expose,
                        shown
                          ? commands.hideInput(group, shown)
                          : commands.expose(group, freeName(input.name, graph.inputs ?? {}), port),
                      )
                    }
                  />{' '}
                  {says.inForm}
                </label>
              )}
            </div>
            {wire ? (
              <p className="small">{says.from(wire)}</p>
            ) : typeable(input.port) ? (
              <Widget
                id={id}
                port={input.port}
                schema={input.schema}
                value={step.values?.[input.name] ?? input.default}
                optional={optional(input.port)}
                onChange={(value) =>
                  perform(
                    edits.set(sentence(input.name)),
                    commands.setValue(group, name, input.name, value),
                    `${group}/${name}.${input.name}`,
                  )
                }
              />
            ) : input.port.type === 'piece' ? (
              <button
                type="button"
                className="button"
                onClick={() =>
                  perform(
                    edits.addGroup,
                    commands.addBody(history.document, group, { step: name, input: input.name }),
                  )
                }
              >
                {says.newGroup}
              </button>
            ) : (
              <p className="small muted">{input.required ? says.needsWire : says.notConnected}</p>
            )}
          </div>
        )
      })}
      {spec && <Help key={spec.id} spec={spec} />}
    </>
  )
}

/** How the step stood in the last run, and why it ran. */
function LastRun({ name, group }: { name: string; group: string }) {
  const { inspector: says } = useWords()
  const report = useReport(group, name)
  const wrong = useWrong(group, name)
  if (!report && !wrong) return null
  const kept = report?.cache && report.cache !== 'ran'
  return (
    <section className={style.last} aria-label={says.lastRun}>
      {report && (
        <p className="small">
          <strong>
            {report.state === 'done'
              ? kept
                ? says.known
                : says.ranIn(seconds(report.seconds))
              : (says.states[report.state] ?? report.state)}
          </strong>
          {report.calls + report.hits > 1 && says.calls(report.calls, report.calls + report.hits)}
          {report.why && <span className="muted">{says.because(report.why)}</span>}
          {kept && <span className="muted">{says.unchanged}</span>}
        </p>
      )}
      {wrong && (
        <div className="problem small">
          <p>{wrong.says}</p>
          {wrong.fix && (
            <button type="button" className="button" onClick={wrong.fix.does}>
              {wrong.fix.words}
            </button>
          )}
        </div>
      )}
    </section>
  )
}

/** How long a prompt is, where a model reads it. */
function Counted({ port, text }: { port: string; text: Json | undefined }) {
  const document = useGraph((state) => state.history.document)
  const nodes = usePalette((state) => state.nodes)
  const model = useMemo(() => readerOf(document, nodes, port)?.name, [document, nodes, port])
  return model ? <Tokens text={typeof text === 'string' ? text : ''} model={model} /> : null
}
