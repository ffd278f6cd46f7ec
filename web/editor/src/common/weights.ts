/** Words of a prompt made to count more or less: `(word:1.2)`. */

const STEP = 0.05
const LEAST = 0
const MOST = 2
const WEIGHED = /^\((.*):\s*([+-]?[\d.]+)\s*\)$/s
const WORD = /[^\s,.;:()[\]|]+/g

export interface Selected {
  text: string
  start: number
  end: number
}

/** The text with what is selected, or the word at the caret, a step heavier or lighter, and what is selected then. */
export function weigh({ text, start, end }: Selected, heavier: boolean): Selected | null {
  const [from, to] = around(text, ...wordAt(text, start, end))
  if (from === to) return null
  const found = WEIGHED.exec(text.slice(from, to))
  const inner = found?.[1] ?? text.slice(from, to)
  const now = found ? Number(found[2]) : 1
  const next = Math.round(100 * Math.min(MOST, Math.max(LEAST, now + (heavier ? STEP : -STEP)))) / 100
  const written = next === 1 ? inner : `(${inner}:${next})`
  const inside = next === 1 ? 0 : 1
  return {
    text: text.slice(0, from) + written + text.slice(to),
    start: from + inside,
    end: from + inside + inner.length,
  }
}

function wordAt(text: string, start: number, end: number): [number, number] {
  if (start !== end) return [start, end]
  for (const found of text.matchAll(WORD))
    if (found.index <= start && start <= found.index + found[0].length)
      return [found.index, found.index + found[0].length]
  return [start, start]
}

/** With the bracket and the weight that stand around it already. */
function around(text: string, start: number, end: number): [number, number] {
  const behind = /^:\s*[+-]?[\d.]+\s*\)/.exec(text.slice(end))
  return text[start - 1] === '(' && behind ? [start - 1, end + behind[0].length] : [start, end]
}
