/** What Automatic1111 and its kin write of a picture, and how much of it a form can take. */
import type { Field } from '../../graph/model/form'
import { type Json, options, type Scalar } from '../../graph/model/ports'

/** A prompt, what to avoid, and settings by the names that the other program gives them. */
export interface Told {
  prompt: string
  negative: string
  settings: ReadonlyMap<string, string>
}

/** What a form takes over of it. */
export interface Fitted {
  /** By the names of the form's inputs. */
  inputs: Record<string, Json>
  /** How the steps are spaced, where no input of the form has it. */
  spacing: string
  taken: Part[]
  /** What stays behind, in the words of the other program. */
  left: Left[]
}
export type Part =
  | 'prompt'
  | 'negative'
  | 'steps'
  | 'method'
  | 'guidance'
  | 'seed'
  | 'size'
  | 'model'
  | 'spacing'
export interface Left {
  name: string
  value: string
  /** Whether it is a model that is not here. */
  missing?: boolean
}

const AVOID = /^Negative prompt:/
const SPACINGS = ['karras', 'exponential', 'beta']
/** What is wished for within the prompt: a LoRA by its name. */
const LORA = /<lora:([^:>]+)(?::[^>]*)?>/g
/** What only names files, programs and checks: nothing to be taken over. */
const NOISE = /hash|^(Version|Discard penultimate sigma|ENSD|RNG|User|Hashes|TI|Pad conds|Emphasis)/i
const PAIR = /\s*([\w][\w \-/]*):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/g

/** Read the text of three parts: a prompt, a line on what to avoid, and a last line of settings. Else null. */
export function parse(text: string): Told | null {
  const lines = text.trim().split(/\r?\n/)
  const last = lines.at(-1) ?? ''
  if (!/(^|,)\s*Steps:\s*\d/.test(last)) return null
  const words = lines.slice(0, -1)
  const at = words.findIndex((line) => AVOID.test(line))
  const [wanted, avoided] = at < 0 ? [words, []] : [words.slice(0, at), words.slice(at)]
  const pairs = [...last.matchAll(PAIR)].map(([, key = '', value = '']): [string, string] => [
    key.trim(),
    value.trim().replace(/^"|"$/g, ''),
  ])
  return {
    prompt: wanted.join('\n').trim(),
    negative: avoided.join('\n').replace(AVOID, '').trim(),
    settings: new Map(pairs),
  }
}

/** As much as fits into this form, with the models that are here. */
export function fitted(told: Told, form: readonly Field[], models: readonly string[]): Fitted {
  const found: Fitted = { inputs: {}, spacing: '', taken: [], left: [] }
  const rest = new Map(told.settings)
  const field = (name: string) => form.find((one) => one.name === name)
  const put = (part: Part, values: Record<string, Json>, ...keys: string[]) => {
    const all = Object.entries(values)
    if (!all.every(([name, value]) => fits(field(name), value))) return
    for (const [name, value] of all) found.inputs[name] = value
    found.taken.push(part)
    for (const key of keys) rest.delete(key)
  }
  for (const [, name = ''] of told.prompt.matchAll(LORA)) found.left.push({ name: 'LoRA', value: name })
  put('prompt', { prompt: told.prompt.replace(LORA, '').trim() })
  put('negative', { negative: told.negative })
  if (told.negative === '') found.taken = found.taken.filter((part) => part !== 'negative')
  const number = (key: string) => Number(told.settings.get(key) ?? Number.NaN)
  put('steps', { steps: number('Steps') }, 'Steps')
  put('guidance', { guidance: number('CFG scale') }, 'CFG scale')
  put('seed', { seed: number('Seed') }, 'Seed')
  const [, width, height] = /^(\d+)\s*x\s*(\d+)$/.exec(told.settings.get('Size') ?? '') ?? []
  put('size', { width: Number(width), height: Number(height) }, 'Size')
  sampler(told, field('method'), found, rest)
  model(told, field('model'), models, found, rest)
  for (const [name, value] of rest) if (!NOISE.test(name)) found.left.push({ name, value })
  return found
}

/** "DPM++ 2M Karras" is a method and how its steps are spaced; newer versions name them apart. */
function sampler(told: Told, field: Field | undefined, found: Fitted, rest: Map<string, string>): void {
  const given = (told.settings.get('Sampler') ?? '').toLowerCase()
  const spaced = SPACINGS.find((one) => given.endsWith(` ${one}`)) ?? ''
  const name = given.slice(0, given.length - (spaced ? spaced.length + 1 : 0)).replace(/ a$/, ' ancestral')
  if (name && fits(field, name)) {
    found.inputs.method = name
    found.taken.push('method')
    rest.delete('Sampler')
  }
  const [key = '', type = ''] = [...told.settings].find(([name]) => /^schedule type$/i.test(name)) ?? []
  const known = SPACINGS.find((one) => one === type.toLowerCase())
  if (known || /^(automatic|uniform|normal)$/i.test(type)) rest.delete(key)
  found.spacing = known ?? spaced
}

function model(
  told: Told,
  field: Field | undefined,
  models: readonly string[],
  found: Fitted,
  rest: Map<string, string>,
): void {
  const name = told.settings.get('Model')
  if (name === undefined) return
  rest.delete('Model')
  const here = models.find((one) => bare(one) === bare(name))
  if (here && field) {
    found.inputs.model = here
    found.taken.push('model')
  } else found.left.push({ name: 'Model', value: name, missing: true })
}

function bare(name: string): string {
  return name
    .replace(/^.*[\\/]/, '')
    .replace(/\.(safetensors|ckpt|pt)$/i, '')
    .toLowerCase()
}

/** Whether an input of a form takes a value. */
function fits(field: Field | undefined, value: Json): boolean {
  if (!field) return false
  const kinds = options(field.port)
  if (typeof value === 'string')
    return kinds.some(
      (one) =>
        (one.type === 'menu' && one.options.includes(value)) || (one.type === 'scalar' && one.name === 'str'),
    )
  if (typeof value !== 'number' || !Number.isFinite(value)) return false
  const scalar = kinds.find((one): one is Scalar => one.type === 'scalar')
  if (!scalar || (scalar.name === 'int' && !Number.isInteger(value))) return false
  const limit = (name: string) => (typeof field.schema[name] === 'number' ? field.schema[name] : undefined)
  const [least, most] = [limit('minimum') ?? scalar.ge, limit('maximum') ?? scalar.le]
  const even = scalar.multiple_of === undefined || value % scalar.multiple_of === 0
  return (least === undefined || value >= least) && (most === undefined || value <= most) && even
}
