/** Nothing is said that is not in the files of words, or one language would have it and the other not. */
import { readdirSync, readFileSync } from 'node:fs'
import { parseSync } from 'vite'
import { expect, test } from 'vitest'

const SEEN = new Set([
  'aria-label',
  'aria-description',
  'aria-valuetext',
  'title',
  'alt',
  'placeholder',
  'label',
  'heading',
])
const TOLD = new Set(['perform'])
const NAMES = new Set(['Tessera'])
const FILES = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(
  (path) => /\.tsx?$/.test(path) && !/words[/\\]|\.test\.ts$|types\.ts$/.test(path),
)

interface Tree {
  type: string
  [field: string]: unknown
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && 'type' in value
}

/** The text of a literal or a template, with · for what is put in. */
function text(tree: unknown): string {
  if (!isTree(tree)) return ''
  if (tree.type === 'Literal' || tree.type === 'JSXText')
    return typeof tree.value === 'string' ? tree.value : ''
  if (tree.type !== 'TemplateLiteral') return ''
  return (tree.quasis as { value: { raw: string } }[]).map((one) => one.value.raw).join('·')
}

/** What an expression may come to, if it is a text. */
function outcomes(tree: unknown): string[] {
  if (!isTree(tree)) return []
  if (tree.type === 'JSXExpressionContainer') return outcomes(tree.expression)
  if (tree.type === 'ConditionalExpression')
    return [...outcomes(tree.consequent), ...outcomes(tree.alternate)]
  if (tree.type === 'LogicalExpression') return [...outcomes(tree.left), ...outcomes(tree.right)]
  return [text(tree)]
}

/** Every text in a piece of program that somebody would see or hear. */
function said(tree: unknown): string[] {
  if (Array.isArray(tree)) return tree.flatMap(said)
  if (!isTree(tree) || tree.type === 'ImportDeclaration') return []
  const inner = Object.entries(tree).flatMap(([field, value]) => (field === 'type' ? [] : said(value)))
  const worded = (one: string) => /\p{L}{2}/u.test(one) && !NAMES.has(one.trim())
  switch (tree.type) {
    case 'JSXText':
      return [text(tree)].filter(worded)
    case 'JSXAttribute':
      return SEEN.has((tree.name as { name: string }).name)
        ? [...inner, ...outcomes(tree.value).filter(worded)]
        : inner
    case 'JSXElement':
    case 'JSXFragment':
      return [...inner, ...(tree.children as unknown[]).flatMap(outcomes).filter(worded)]
    case 'CallExpression': {
      const { callee, arguments: given } = tree as unknown as {
        callee: { name?: string }
        arguments: unknown[]
      }
      return TOLD.has(callee.name ?? '') ? [...inner, ...outcomes(given[0]).filter(worded)] : inner
    }
    case 'Literal':
    case 'TemplateLiteral':
      return [
        ...inner,
        ...[text(tree)].filter((one) => /^\p{Lu}\p{Ll}+ \p{Ll}|^\p{Lu}.*\p{Ll}[.…?!]$/u.test(one)),
      ]
    default:
      return inner
  }
}

test.each(FILES)('%s says nothing of its own', (path) => {
  expect([...new Set(said(parseSync(path, readFileSync(`src/${path}`, 'utf8')).program.body))]).toEqual([])
})

test('what is said would be found', () => {
  const source = `
    perform('Move', change)
    const why = 'It could not be saved.'
    const all = (<p title={on ? 'On' : ''}>Hello {many && 'words'} <b aria-label={\`Close \${it}\`} className="a" /></p>)`
  const found = said(parseSync('a.tsx', source).program.body)
  expect([...new Set(found.map((one) => one.trim()))].sort()).toEqual(
    ['Close ·', 'Hello', 'It could not be saved.', 'Move', 'On', 'words'].sort(),
  )
})
