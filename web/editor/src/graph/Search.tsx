import { Command } from 'cmdk'
import { produce } from 'immer'
import { useEffect, useMemo, useRef, useState } from 'react'
import { usePalette } from '../common/palette'
import { useSearch } from '../common/search'
import { useWords, words } from '../common/words'
import style from './Graph.module.css'
import { placeFor, reveal } from './lying'
import { fits, mayConnect } from './model/check'
import * as commands from './model/commands'
import { freeName, graphAt } from './model/document'
import { outputType, specOf } from './model/groups'
import { type NodeSpec, type Nodes, summary } from './model/nodes'
import { suits } from './model/ports'
import { currentDocument, perform, select, useGraph } from './store'
import { type Offer, offer, useOffer } from './view/offer'

const MOST = 60

/** Find a node and put it where the canvas was clicked; wired, if a wire was let go there. */
export function Search() {
  const { rail: words } = useWords()
  const what = useOffer((state) => state.offer)
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (!what) return dialog.current?.close()
    dialog.current?.showModal()
    dialog.current?.querySelector('input')?.focus()
  }, [what])
  return (
    <dialog
      ref={dialog}
      className={style.search}
      aria-label={words.addNode}
      style={
        what
          ? {
              left: Math.min(what.x, window.innerWidth - 380),
              top: Math.min(what.y, window.innerHeight - 420),
            }
          : {}
      }
      onClose={() => offer(null)}
      onPointerDown={(event) => event.target === dialog.current && offer(null)}
    >
      {what && <Found what={what} />}
    </dialog>
  )
}

function Found({ what }: { what: Offer }) {
  const { rail: words } = useWords()
  const nodes = usePalette((state) => state.nodes)
  const [text, type] = useState('')
  const fitting = useMemo(
    () => [...nodes.values()].filter((spec) => portFor(spec, what, nodes) !== null),
    [nodes, what],
  )
  const found = useSearch(fitting, text).slice(0, MOST)
  return (
    <Command shouldFilter={false} loop label={words.nodes}>
      <Command.Input
        autoFocus
        className={`field ${style.query}`}
        placeholder={what.from ? words.wireTo : what.into ? words.wireInto : words.findNode}
        value={text}
        onValueChange={type}
      />
      <Command.List className={style.found}>
        <Command.Empty className="muted">{words.noNode}</Command.Empty>
        {found.map((spec) => (
          <Command.Item
            key={spec.id}
            value={spec.id}
            className={style.item}
            onSelect={() => place(spec, what, nodes)}
          >
            <strong>{spec.title}</strong> <span className="muted small">{spec.category}</span>
            <p className="muted small">{summary(spec)}</p>
          </Command.Item>
        ))}
      </Command.List>
    </Command>
  )
}

/** The port of a node that the offered wire would go to; '' if there is no wire, null if none fits. */
function portFor(spec: NodeSpec, { from, into }: Offer, nodes: Nodes): string | null {
  if (into) return through(spec, into, nodes)?.input ?? null
  if (!from) return ''
  const document = currentDocument()
  const graph = graphAt(document, useGraph.getState().group)
  if (from.out) {
    const source = outputType(document, nodes, graph, `${from.step}.${from.port}`)
    const fitting = spec.inputs.filter((input) => source && suits(source, input.port))
    const exact = fitting.find((input) => source && suits(source, input.port) === 'as is' && input.required)
    return (exact ?? fitting[0])?.name ?? null
  }
  const step = graph.steps?.[from.step]
  const target = step && specOf(document, nodes, step.node)?.inputs.find((input) => input.name === from.port)
  return spec.outputs.find((output) => target && suits(output.port, target.port))?.name ?? null
}

/** By which ports a node of this kind may go into a wire. */
function through(
  spec: NodeSpec,
  { step, input }: NonNullable<Offer['into']>,
  nodes: Nodes,
): { input: string; output: string } | null {
  const document = currentDocument()
  const graph = graphAt(document, useGraph.getState().group)
  const target = graph.steps?.[step]
  const source = outputType(document, nodes, graph, target?.wires?.[input] ?? '')
  const goal = target && specOf(document, nodes, target.node)?.inputs.find((one) => one.name === input)?.port
  const into = spec.inputs.find((one) => source && suits(source, one.port))
  const out = spec.outputs.find((one) => goal && suits(one.port, goal))
  return into && out ? { input: into.name, output: out.name } : null
}

/** Add a node of this kind as near as there is room to where it was asked for. */
export function place(spec: NodeSpec, what: Offer, nodes: Nodes): void {
  const group = useGraph.getState().group
  const [added, name] = commands.add(currentDocument(), group, spec, what.at)
  const port = portFor(spec, what, nodes)
  const at = placeFor(produce(currentDocument(), added), name, what.at)
  const changes = [added, commands.move(group, { [name]: at })]
  if (what.from && port) {
    const [out, to] = what.from.out
      ? [`${what.from.step}.${what.from.port}`, { step: name, input: port }]
      : [`${name}.${port}`, { step: what.from.step, input: what.from.port }]
    if (fits(mayConnect(produce(currentDocument(), added), nodes, group, out, to)))
      changes.push(commands.connect(group, out, to))
  }
  const ways = what.into && through(spec, what.into, nodes)
  if (what.into && ways) changes.push(commands.insert(group, name, ways, what.into))
  const [result] = spec.kind === 'effect' && group === '' ? spec.outputs : []
  if (result) {
    const named = freeName(name, currentDocument().outputs ?? {})
    changes.push(commands.exposeOutput('', named, `${name}.${result.name}`)) // or nobody sees what it made
  }
  perform(words().edits.add(spec.title), commands.all(...changes))
  select([name])
  reveal([name])
  offer(null)
}
