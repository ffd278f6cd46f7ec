import { Handle, type Node, type NodeProps, Position } from '@xyflow/react'
import { ArrowRight, Repeat2 } from 'lucide-react'
import { memo, useEffect, useRef } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { url } from '../../api/client'
import { usePalette } from '../../common/palette'
import { useRuns } from '../../common/runs'
import { seconds } from '../../common/typical'
import { useWords, words } from '../../common/words'
import { Widget } from '../../widgets/Widget'
import { useCamera } from '../camera'
import { openLog } from '../log'
import { look } from '../look'
import * as commands from '../model/commands'
import { graphAt, split } from '../model/document'
import { sentence } from '../model/form'
import { BODY_HEAD, captureAt, cardOf, HEAD, ROW, type Row } from '../model/geometry'
import { type Body, specOf } from '../model/groups'
import { type Json, optional } from '../model/ports'
import { picturesOf } from '../pictures'
import { pathOf, useReport, useWaiting, useWrong } from '../reports'
import { enter, perform, useGraph, whereIs } from '../store'
import style from './Card.module.css'
import { colourOf, OUTSIDE, shapeOf } from './ports'

export type CardNode = Node<{ group: string }, 'card'>

/** A step: its ports, what is typed in, how it runs, what it made. */
export const Card = memo(function Card({ id, data: { group }, selected }: NodeProps<CardNode>) {
  const document = useGraph((state) => state.history.document)
  const nodes = usePalette((state) => state.nodes)
  const wrong = useWrong(group, id)
  const { canvas: words } = useWords()
  const failed = useReport(group, id)?.state === 'failed'
  const step = graphAt(document, group).steps?.[id]
  if (!step) return null
  const spec = specOf(document, nodes, step.node)
  const place = document.layout?.[group]?.steps?.[id]
  const { rows, outputs, height, bodies } = cardOf(document, nodes, group, id)
  return (
    <article
      className={style.card}
      data-selected={selected}
      data-off={step.off}
      data-unknown={spec === undefined || wrong !== null}
      data-tinted={place?.colour !== undefined}
      style={{ height, ...(place?.colour ? { '--tint': place.colour } : {}) } as React.CSSProperties}
      aria-label={place?.title ?? spec?.title ?? step.node}
    >
      <Head
        name={id}
        group={group}
        title={place?.title ?? spec?.title ?? step.node}
        off={step.off}
        wrong={wrong !== null}
      />
      {wrong && (
        <div role="alert" className={`nodrag ${style.wrong}`}>
          <span>{wrong.says}</span>
          <span className={style.ways}>
            {wrong.fix && (
              <button type="button" className="button" onClick={wrong.fix.does}>
                {wrong.fix.words}
              </button>
            )}
            {failed && (
              <button
                type="button"
                className="button plain"
                onClick={() => openLog(pathOf(document, group, id))}
              >
                {words.log}
              </button>
            )}
          </span>
        </div>
      )}
      {!spec && <p className={style.missing}>{words.notHere}</p>}
      {!place?.collapsed &&
        rows.map((row) => <Line key={row.input.name} row={row} name={id} group={group} />)}
      {rows.map(({ input, y, height }) => (
        <Handle
          key={input.name}
          type="target"
          id={input.name}
          position={Position.Left}
          className={style.port ?? ''}
          data-shape={shapeOf(input.port)}
          style={{ top: y + Math.min(height, 28) / 2, background: colourOf(input.port) }}
        />
      ))}
      {outputs.map(({ name, y }) => {
        const port = spec?.outputs.find((one) => one.name === name)?.port
        return (
          <div key={name}>
            {!place?.collapsed && (
              <span className={style.out} style={{ top: y - 10 }}>
                {sentence(name === 'out' && port?.type === 'class' ? (port.ancestry[0] ?? name) : name)}
              </span>
            )}
            <Handle
              type="source"
              id={name}
              position={Position.Right}
              className={style.port ?? ''}
              data-shape={port && shapeOf(port)}
              style={{ top: y, background: port ? colourOf(port) : OUTSIDE }}
            />
          </div>
        )
      })}
      {bodies.map(({ body, y, height }) => (
        <Inside key={body.input} body={body} y={y} height={height} />
      ))}
      {spec?.kind === 'effect' && !place?.collapsed && <Made name={id} group={group} />}
    </article>
  )
})

/** The group that a loop runs, as a frame in its card: what it is handed, what it uses of outside, what it gives. */
function Inside({ body, y, height }: { body: Body; y: number; height: number }) {
  const { canvas: words } = useWords()
  const folded = height === 0
  return (
    <>
      {!folded && (
        // biome-ignore lint/a11y/noStaticElementInteractions: the button in it does the same
        <div className={style.inside} style={{ top: y, height }} onDoubleClick={() => enter(body.group)}>
          <header style={{ height: BODY_HEAD }}>
            <Repeat2 size={13} aria-hidden="true" />
            <strong>{body.title}</strong>
            <button type="button" className="button plain nodrag" onClick={() => enter(body.group)}>
              {words.open}
            </button>
          </header>
          {body.takes.map((name, index) => (
            <span key={name} className={style.takes} style={{ top: BODY_HEAD + ROW * index }}>
              <ArrowRight size={11} aria-hidden="true" /> {name}
            </span>
          ))}
          {body.captures.map((wire, index) => (
            <span
              key={wire}
              className={style.takes}
              style={{ top: captureAt(body, index) - ROW / 2 }}
              title={words.outside}
            >
              {split(wire)[0]}
            </span>
          ))}
          {body.gives.map((name, index) => (
            <span key={name} className={style.gives} style={{ top: BODY_HEAD + ROW * index }}>
              {name} <ArrowRight size={11} aria-hidden="true" />
            </span>
          ))}
        </div>
      )}
      {body.captures.map((wire, index) => (
        <Handle
          key={wire}
          type="target"
          id={`#${body.input}.${wire}`}
          position={Position.Left}
          isConnectable={false}
          className={style.port ?? ''}
          style={{ top: folded ? HEAD / 2 : y + captureAt(body, index), background: OUTSIDE }}
        />
      ))}
    </>
  )
}

function Head({
  name,
  group,
  title,
  off,
  wrong,
}: {
  name: string
  group: string
  title: string
  off: string | undefined
  wrong: boolean
}) {
  const { canvas: words } = useWords()
  const last = useReport(group, name)
  const report = last?.state === 'failed' && !wrong ? undefined : last // what failed was changed since
  const titling = useCamera((state) => state.titling === name)
  const grouped = useGraph((state) =>
    graphAt(state.history.document, group).steps?.[name]?.node.startsWith('group/'),
  )
  return (
    <header className={style.head}>
      <span className={style.dot} data-state={off ?? report?.state ?? ''} aria-hidden="true" />
      {titling ? (
        <Titling name={name} group={group} title={title} />
      ) : (
        <strong
          className={style.title}
          title={name}
          onDoubleClick={() => !grouped && useCamera.setState({ titling: name })}
        >
          {title}
        </strong>
      )}
      {name !== title.toLowerCase().replaceAll(' ', '_') && !report && !off && (
        <span className={style.small}>{name}</span>
      )}
      {off && <span className={style.small}>{off === 'mute' ? words.muted : words.bypassed}</span>}
      {report && (
        <span className={style.small} title={report.why}>
          {report.cache && report.cache !== 'ran'
            ? words.kept
            : report.state === 'done'
              ? seconds(report.seconds)
              : report.state === 'running'
                ? `${Math.round(100 * (report.way ?? report.progress ?? 0))} %`
                : report.state === 'failed'
                  ? words.failed
                  : report.state === 'cancelled'
                    ? words.stopped
                    : ''}
        </span>
      )}
      {report?.state === 'running' && (
        <span className={style.bar} style={{ width: `${100 * (report.way ?? report.progress ?? 0)}%` }} />
      )}
    </header>
  )
}

/** The title of a card while it is typed; an empty one goes back to that of its node. */
function Titling({ name, group, title }: { name: string; group: string; title: string }) {
  const { canvas: says } = useWords()
  const place = useRef<HTMLInputElement>(null)
  const done = (given: string | null) => {
    if (useCamera.getState().titling !== name) return
    useCamera.setState({ titling: null })
    if (given === null || given.trim() === title) return
    perform(
      words().edits.title,
      commands.setPlace(group, name, { at: whereIs(name), title: given.trim() || undefined }),
    )
  }
  useEffect(() => place.current?.select(), [])
  return (
    <input
      ref={place}
      className={`nodrag ${style.titling}`}
      aria-label={says.nodeTitle}
      defaultValue={title}
      onBlur={(event) => done(event.target.value)}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== 'Escape') return
        event.stopPropagation()
        done(event.key === 'Enter' ? event.currentTarget.value : null)
      }}
    />
  )
}

function Line({ row: { input, y, height, typed }, name, group }: { row: Row; name: string; group: string }) {
  const value = useGraph(
    (state) => graphAt(state.history.document, group).steps?.[name]?.values?.[input.name],
  )
  const exposed = useGraph((state) =>
    Object.values(graphAt(state.history.document, group).inputs ?? {}).some((one) =>
      one.to.includes(`${name}.${input.name}`),
    ),
  )
  const id = `${group}-${name}-${input.name}`
  const label = sentence(input.name)
  if (!typed)
    return (
      <span className={style.name} style={{ top: y, height }} data-required={input.required}>
        {label}
      </span>
    )
  return (
    <div className={style.line} style={{ top: y, height }} data-tall={height > 28}>
      <label
        id={`${id}-label`}
        htmlFor={id}
        className={style.label}
        data-exposed={exposed}
        title={text(input.schema.description)}
      >
        {label}
      </label>
      <div className={`nodrag nowheel ${style.widget}`}>
        <Widget
          id={id}
          port={input.port}
          schema={{
            ...input.schema,
            ...(input.schema['x-widget'] === 'slider' ? { 'x-widget': 'number' } : {}),
          }}
          value={value ?? input.default}
          optional={optional(input.port)}
          onChange={(given) =>
            perform(
              words().edits.set(label),
              commands.setValue(group, name, input.name, given),
              `${group}/${name}.${input.name}`,
            )
          }
        />
      </div>
    </div>
  )
}

function Made({ name, group }: { name: string; group: string }) {
  const [picture] = useRuns(useShallow((state) => picturesOf(state, useGraph.getState().run, group, name)))
  const preview = useRuns((state) => state.previews[useGraph.getState().run ?? ''])
  const waiting = useWaiting()
  const { canvas: words } = useWords()
  return (
    <figure className={style.made}>
      {picture ? (
        <img
          src={url(`${picture}?size=256`)}
          alt={words.made}
          draggable={false}
          onDoubleClick={() => look([name])}
        />
      ) : preview ? (
        <img src={preview.url} alt={words.making} draggable={false} />
      ) : (
        <span>{waiting ? `${sentence(waiting)}.` : words.willBe}</span>
      )}
    </figure>
  )
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
