/**
 * What was done to a document, to be undone and done again. Every state is kept as it was: states share all
 * that did not change, so one costs little, and what is undone is equal to the byte, order of keys included.
 */
import { produce } from 'immer'
import type { Change } from './commands'
import type { Document } from './document'

interface State {
  document: Document
  /** What led away from this state, for the menu: "Move 3 steps". */
  label: string
  /** Changes with the same one, one after the other, are undone together: typing into one field. */
  field: string | null
}
export interface History {
  document: Document
  past: readonly State[]
  future: readonly State[]
}

const DEPTH = 300

export function begin(document: Document): History {
  return { document, past: [], future: [] }
}

/** Do something. A change that changes nothing leaves no trace. */
export function apply(history: History, label: string, change: Change, field: string | null = null): History {
  const document = produce(history.document, (draft) => change(draft))
  if (document === history.document) return history
  const last = history.past.at(-1)
  if (field !== null && last?.field === field && history.future.length === 0) return { ...history, document }
  return {
    document,
    past: [...history.past, { document: history.document, label, field }].slice(-DEPTH),
    future: [],
  }
}

export function undo(history: History): History {
  const last = history.past.at(-1)
  if (!last) return history
  return {
    document: last.document,
    past: history.past.slice(0, -1),
    future: [...history.future, { ...last, document: history.document }],
  }
}

export function redo(history: History): History {
  const next = history.future.at(-1)
  if (!next) return history
  return {
    document: next.document,
    past: [...history.past, { ...next, document: history.document }],
    future: history.future.slice(0, -1),
  }
}

/** Another document in place of this one, as something that can be undone. */
export function replaced(other: Document): Change {
  return (draft) => {
    for (const key of Object.keys(draft)) delete (draft as unknown as Record<string, unknown>)[key]
    Object.assign(draft, structuredClone(other))
  }
}

/** End a run of typing: the next change of the same field is undone apart. */
export function settle(history: History): History {
  const last = history.past.at(-1)
  if (!last || last.field === null) return history
  return { ...history, past: [...history.past.slice(0, -1), { ...last, field: null }] }
}
