import { ChevronRight, LayoutGrid, Play } from 'lucide-react'
import { type FormEvent, useEffect, useMemo, useRef } from 'react'
import type { Refused } from '../api/client'
import { usePalette } from '../common/palette'
import { seconds, useTypical } from '../common/typical'
import { useWords } from '../common/words'
import { sections } from '../graph/model/app'
import type { Document } from '../graph/model/document'
import type { Field } from '../graph/model/form'
import { readerOf, type Wanted } from '../graph/model/models'
import { type Json, optional } from '../graph/model/ports'
import { PaintContext } from '../mask/paint'
import { Missing } from '../models/Missing'
import { Widget } from '../widgets/Widget'
import style from './Create.module.css'
import { ModelPick } from './ModelPick'
import { Sizes } from './Sizes'
import { Templates } from './Templates'
import { Tokens } from './Tokens'
import type { Listed } from './workflows'

const FIRST_FEW = 5 // fields that are shown before "Advanced"
const MOST = 8

interface Props {
  workflows: Listed[]
  document: Document | undefined
  missing: Wanted[]
  name: string
  choose: (name: string) => void
  form: Field[]
  ready: boolean
  given: Record<string, Json>
  give: (field: string, value: Json | undefined) => void
  count: number
  setCount: (count: number) => void
  problem: Refused | null
  run: () => void
}

/** What a workflow wants to know, and the button that starts it. */
export function Form({
  workflows,
  document,
  missing,
  name,
  choose,
  form,
  ready,
  given,
  give,
  count,
  setCount,
  problem,
  run,
}: Props) {
  const { create: words, app } = useWords()
  const place = useRef<HTMLFormElement>(null)
  const typical = useTypical(name)
  useEffect(() => {
    if (ready) place.current?.querySelector<HTMLTextAreaElement>('textarea')?.focus({ preventScroll: true })
  }, [ready])
  const width = form.find((field) => field.name === 'width')
  const height = form.find((field) => field.name === 'height')
  const plain = form.filter((field) => !(width && height && (field === width || field === height)))
  const named = plain.filter((field) => field.section !== '')
  const unnamed = plain.filter((field) => field.section === '')
  const front = named.length > 0 ? unnamed : unnamed.filter(isFront).slice(0, FIRST_FEW)
  const rest = unnamed.filter((field) => !front.includes(field))
  const dialog = useRef<HTMLDialogElement>(null)
  const pictures = useMemo(() => {
    const files = form.filter(isFile).filter((field) => !field.name.includes('mask'))
    return files.map((field) => given[field.name] ?? field.value).filter((one) => typeof one === 'string')
  }, [form, given])
  const masked = form.some((field) => field.name.includes('mask'))
  const paint = useMemo(() => ({ pictures, masked }), [pictures, masked])
  const title = workflows.find((one) => one.name === name)?.title || document?.title || name
  const submit = (event: FormEvent) => {
    event.preventDefault()
    run()
  }
  const row = (field: Field) => (
    <Row
      key={field.name}
      field={field}
      value={field.name in given ? given[field.name] : field.value}
      give={(value) => give(field.name, value)}
      problem={problem}
      reader={document ? reader(document, field, given) : null}
    />
  )
  return (
    <PaintContext value={paint}>
      <form
        ref={place}
        className={style.form}
        aria-label={words.form}
        onSubmit={submit}
        onKeyDown={(event) => {
          const typing = event.target instanceof HTMLTextAreaElement
          if (event.key === 'Enter' && typing && !event.shiftKey && !event.nativeEvent.isComposing)
            submit(event)
        }}
      >
        <div className={style.scroll}>
          <button
            type="button"
            className={style.app}
            aria-label={words.choose(title)}
            aria-haspopup="dialog"
            onClick={() => dialog.current?.showModal()}
          >
            <strong className="grow">{title}</strong>
            <LayoutGrid size={16} aria-hidden="true" />
          </button>
          <dialog ref={dialog} className={style.dialog} aria-label={words.apps}>
            <div className="spread">
              <h2 className="grow">{words.question}</h2>
              <button type="button" className="button" onClick={() => dialog.current?.close()}>
                {app.close}
              </button>
            </div>
            <Templates
              listed={workflows}
              choose={(one) => {
                choose(one)
                dialog.current?.close()
              }}
            />
          </dialog>
          <Missing models={missing} {...(document ? { document } : {})} />
          {front.map(row)}
          {width && height && <Sizes width={width} height={height} given={given} give={give} />}
          {rest.length > 0 && (
            <details className={style.more}>
              <summary>
                <ChevronRight size={14} aria-hidden="true" /> {words.advanced}{' '}
                <span className="muted">{rest.map((field) => field.title).join(', ')}</span>
              </summary>
              {rest.map(row)}
            </details>
          )}
          {sections(named).map((section) => (
            <details key={section.title} className={style.more} open={section.title !== 'Advanced'}>
              <summary>
                <ChevronRight size={14} aria-hidden="true" />{' '}
                {section.title === 'Advanced' ? words.advanced : section.title}{' '}
                <span className="muted">{section.fields.map((field) => field.title).join(', ')}</span>
              </summary>
              {section.fields.map(row)}
            </details>
          ))}
          {ready && form.length === 0 && <p className="muted">{words.noInputs}</p>}
        </div>
        <div className={style.foot}>
          {problem && <Problems problem={problem} form={form} />}
          <div className="spread">
            <label className={style.count} title={words.howManySays}>
              <span className="hidden">{words.howMany}</span>
              <select
                className="field"
                value={count}
                onChange={(event) => setCount(Number(event.target.value))}
              >
                {Array.from({ length: MOST }, (_, index) => index + 1).map((number) => (
                  <option key={number} value={number}>
                    × {number}
                  </option>
                ))}
              </select>
            </label>
            <button type="submit" className="button main grow" disabled={!ready || missing.length > 0}>
              <Play size={16} aria-hidden="true" /> {words.make}
              {missing.length > 0 && (
                <span className={style.typical}>
                  {words.needs(missing.map((one) => one.name).join(', '))}
                </span>
              )}
              {typical !== null && missing.length === 0 && (
                <span className={style.typical}>{words.about(seconds(typical * count))}</span>
              )}
            </button>
          </div>
          <p className={`small muted ${style.keys}`}>{words.keys}</p>
        </div>
      </form>
    </PaintContext>
  )
}

/** What most people change: words, pictures, the model and the seed. */
function isFront({ schema, port, name }: Field): boolean {
  const widget = schema['x-widget']
  if (widget === 'text') return name !== 'negative'
  return widget === 'seed' || widget === 'model' || isFile({ port })
}

function isFile({ port }: Pick<Field, 'port'>): boolean {
  return port.type === 'class' && port.ancestry.includes('Artifact')
}

/** The model that reads a prompt, also if the form chooses another one. */
function reader(document: Document, field: Field, given: Record<string, Json>): string | null {
  if (field.schema['x-widget'] !== 'text') return null
  const found = readerOf(document, usePalette.getState().nodes, field.place)
  const other = found?.input ? given[found.input] : undefined
  return typeof other === 'string' ? other : (found?.name ?? null)
}

interface RowProps {
  field: Field
  value: Json | undefined
  give: (value: Json | undefined) => void
  problem: Refused | null
  /** The model that reads what is typed here, if it is a prompt. */
  reader: string | null
}

function Row({ field, value, give, problem, reader }: RowProps) {
  const id = `input-${field.name}`
  const wrong = problem?.problems.find((one) => one.input === field.name)
  return (
    <div className={style.row} data-wrong={wrong !== undefined}>
      <div className="spread">
        <label
          id={`${id}-label`}
          className={`grow ${style.label}`}
          htmlFor={id}
          title={field.help || undefined}
        >
          {field.title}
        </label>
        {reader !== null && <Tokens text={typeof value === 'string' ? value : ''} model={reader} />}
      </div>
      {field.schema['x-widget'] === 'model' ? (
        <ModelPick
          id={id}
          kind={String(field.schema['x-kind'] ?? '')}
          value={typeof value === 'string' ? value : ''}
          choose={give}
        />
      ) : (
        <Widget
          id={id}
          port={field.port}
          schema={field.schema}
          value={value}
          onChange={give}
          optional={optional(field.port)}
          describedBy={field.help ? `${id}-help` : undefined}
        />
      )}
      {field.help && (
        <span id={`${id}-help`} className="hidden">
          {field.help}
        </span>
      )}
    </div>
  )
}

function Problems({ problem, form }: { problem: Refused; form: Field[] }) {
  const { problem: words } = useWords()
  const title = (name: string | undefined) => form.find((field) => field.name === name)?.title ?? name
  return (
    <div role="alert" className="problem">
      {problem.problems.length === 0 && <p>{problem.message}</p>}
      <ul>
        {problem.problems.map((one) => (
          <li key={`${one.code} ${one.step} ${one.input}`}>
            {[title(one.input) || one.step, one.code.replaceAll('_', ' ')].filter(Boolean).join(': ')}
            {one.got && words.got(one.got)}
            {one.want && words.want(one.want)}. {one.remedy}
          </li>
        ))}
      </ul>
    </div>
  )
}
