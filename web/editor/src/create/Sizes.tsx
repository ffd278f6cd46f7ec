import { useWords } from '../common/words'
import type { Field } from '../graph/model/form'
import type { Json } from '../graph/model/ports'
import { NumberInput } from '../widgets/NumberInput'
import style from './Create.module.css'

const SHAPES = [
  ['', null, null, 'ownSays'],
  ['1:1', 1, 1, 'square'],
  ['4:3', 4, 3, 'landscape'],
  ['3:4', 3, 4, 'portrait'],
  ['16:9', 16, 9, 'wide'],
] as const
const GRID = 8 // pixels that a latent's place covers

interface Props {
  width: Field
  height: Field
  given: Record<string, Json>
  give: (field: string, value: Json | undefined) => void
}

/** How large: the model's own size, a shape of about as many pixels, or numbers. */
export function Sizes({ width, height, given, give }: Props) {
  const { create: words } = useWords()
  const now = (field: Field) => (field.name in given ? given[field.name] : field.value)
  const [wide, high] = [now(width), now(height)]
  const side = typeof wide === 'number' && typeof high === 'number' ? Math.sqrt(wide * high) : 128
  const choose = (across: number | null, down: number | null) => {
    const root = across === null || down === null ? null : Math.sqrt(across * down)
    give(width.name, root === null ? undefined : grid((side * (across as number)) / root))
    give(height.name, root === null ? undefined : grid((side * (down as number)) / root))
  }
  const chosen = (across: number | null, down: number | null) => {
    if (across === null || down === null) return typeof wide !== 'number' && typeof high !== 'number'
    return (
      typeof wide === 'number' && typeof high === 'number' && Math.abs(wide / high - across / down) < 0.09
    )
  }
  return (
    <fieldset className={style.row}>
      <legend className={style.label}>{words.size}</legend>
      <div className={style.chips}>
        {SHAPES.map(([word, across, down, title]) => (
          <button
            key={word}
            type="button"
            className="button"
            title={words[title]}
            aria-pressed={chosen(across, down)}
            onClick={() => choose(across, down)}
          >
            {word || words.own}
          </button>
        ))}
      </div>
      <div className="spread">
        {[width, height].map((field) => (
          <div key={field.name} className="grow">
            <label className="hidden" htmlFor={`input-${field.name}`}>
              {field.title}
            </label>
            <NumberInput
              id={`input-${field.name}`}
              port={field.port}
              schema={field.schema}
              value={now(field) ?? null}
              optional
              onChange={(value) => give(field.name, value ?? undefined)}
            />
          </div>
        ))}
      </div>
    </fieldset>
  )
}

function grid(pixels: number): number {
  return Math.max(GRID, Math.round(pixels / GRID) * GRID)
}
