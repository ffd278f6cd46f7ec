import { expect, test } from 'vitest'
import { type Selected, weigh } from './weights'

/** A prompt whose selection is marked by two bars. */
function marked(text: string): Selected {
  const [before = '', inside = '', after = ''] = text.split('|')
  return { text: before + inside + after, start: before.length, end: before.length + inside.length }
}

test.each([
  ['a |red| cat', true, 'a (|red|:1.05) cat'],
  ['a (|red|:1.05) cat', true, 'a (|red|:1.1) cat'],
  ['a (|red|:1.05) cat', false, 'a |red| cat'],
  ['a re||d cat', false, 'a (|red|:0.95) cat'],
  ['a |red cat|', true, 'a (|red cat|:1.05)'],
  ['|(red:1.5)|', true, '(|red|:1.55)'],
  ['(|red|:2)', true, '(|red|:2)'],
  ['(|red|:0)', false, '(|red|:0)'],
])('%s, heavier: %s, becomes %s', (before, heavier, after) => {
  expect(weigh(marked(before), heavier)).toEqual(marked(after))
})

test('where no word stands nothing is weighed', () => {
  expect(weigh(marked('a , ||  b'), true)).toBeNull()
})
