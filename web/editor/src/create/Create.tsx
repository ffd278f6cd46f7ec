import { useEffect, useMemo, useState } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { Refused } from '../api/client'
import { useKeys } from '../common/actions'
import { upload } from '../common/files'
import { useMode } from '../common/mode'
import { usePalette } from '../common/palette'
import { cancel, over, start, useRuns } from '../common/runs'
import { say } from '../common/toast'
import { useWords } from '../common/words'
import { type Field, fields } from '../graph/model/form'
import type { Json } from '../graph/model/ports'
import { useMissing } from '../models/Missing'
import { CREATE, useHands } from './actions'
import style from './Create.module.css'
import { Form } from './Form'
import { History } from './History'
import { Result } from './Result'
import { documentOf, keep, open, pictureOf, remember, useWorkflows } from './workflows'

const FIRST = 'text_to_image'
const PAINTED = 'redraw_what_is_painted'

/** Make a picture: a form that a workflow gives, what comes of it, and what came before. */
export function Create() {
  const { listed, documents } = useWorkflows()
  const { create: words, foreign } = useWords()
  const [name, setName] = useState(
    () => new URLSearchParams(location.search).get('workflow') ?? remember().workflow ?? FIRST,
  )
  const [given, give] = useState<Record<string, Json>>(() => remember().inputs ?? {})
  const [count, setCount] = useState(1)
  const [ids, setIds] = useState<string[]>(remember().ids ?? [])
  const [problem, setProblem] = useState<Refused | null>(null)
  const nodes = usePalette((state) => state.nodes)
  const mode = useMode((state) => state.mode)
  const document = documents[name]
  const form = useMemo(() => (document ? fields(document, nodes) : []), [document, nodes])
  const chosen = useMemo(() => modelsIn(form, given), [form, given])
  const missing = useMissing(document, chosen)

  useEffect(
    () => void open(name).catch((error) => setProblem(error instanceof Refused ? error : null)),
    [name],
  )
  useEffect(() => keep({ workflow: name, inputs: given, ids }), [name, given, ids])

  const run = async (changes: Record<string, Json> = {}, times = count) => {
    setProblem(null)
    const known = new Set(form.map((field) => field.name))
    const inputs = Object.fromEntries(
      Object.entries({ ...given, ...changes }).filter(([field]) => known.has(field)),
    )
    try {
      setIds(await start({ workflow: name, inputs, count: times, mode }))
    } catch (error) {
      if (error instanceof Refused) setProblem(error)
      else throw error
    }
  }
  const choose = (other: string) => {
    setName(other)
    setProblem(null)
  }
  const change = (field: string, value: Json | undefined) =>
    give(({ [field]: _, ...left }) => (value === undefined ? left : { ...left, [field]: value }))
  /** Go on with a picture: in another app, or in this one. */
  const use = async (picture: string, other = name, more: Record<string, Json> = {}) => {
    await open(other)
    const known = documentOf(other)
    const field = known && pictureOf(fields(known, usePalette.getState().nodes), given)
    if (field) give((now) => ({ ...now, [field.name]: picture, ...more }))
    choose(other)
  }
  const take = async (data: DataTransfer) => {
    const id = data.getData('application/x-tessera-artifact')
    const file = [...data.files].find((one) => one.type.startsWith('image/'))
    if (!id && !file) return
    const takes = pictureOf(form, given) !== undefined
    const asPicture = async () =>
      use(id || (file ? (await upload(file)).id : ''), takes ? name : 'image_to_image')
    try {
      const other = file && !id ? await import('../common/foreign/take') : null
      const told = other && file ? await other.toldIn(file) : null
      if (!other || !told) return await asPicture()
      const asWords = async () => {
        const found = await other.taken(told)
        give((now) => ({ ...now, ...found.inputs }))
        choose(other.TAKES_WORDS)
        say(other.sentences(found, false), foreign.asPicture, () => asPicture().catch(refused))
      }
      if (!takes) return await asWords()
      await asPicture()
      say(foreign.says, foreign.asWords, () => asWords().catch(refused))
    } catch (error) {
      refused(error)
    }
  }
  const refused = (error: unknown) => {
    if (!(error instanceof Refused)) throw error
    setProblem(error)
  }
  const seed = form.find((field) => field.schema['x-widget'] === 'seed')
  const going = useRuns(useShallow((state) => ids.filter((id) => state.runs[id] && !over(state.runs[id]))))
  const again = () => void run(seed ? { [seed.name]: 'random' } : {}, 1)
  useKeys('create', CREATE)
  useHands({
    make: () => void run(),
    again: ids.length > 0 ? again : null,
    stop: going.length > 0 ? () => void Promise.all(going.map(cancel)) : null,
  })
  return (
    <main
      className={style.page}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault()
        void take(event.dataTransfer)
      }}
      onPaste={(event) => void take(event.clipboardData)}
    >
      <h1 className="hidden">{words.title}</h1>
      <Form
        workflows={listed}
        document={document}
        missing={missing}
        name={name}
        choose={(other) => {
          choose(other)
          setIds([])
        }}
        form={form}
        ready={document !== undefined && nodes.size > 0}
        given={given}
        give={change}
        count={count}
        setCount={setCount}
        problem={problem}
        run={() => void run()}
      />
      <Result
        ids={ids}
        listed={listed}
        choose={choose}
        again={again}
        variations={seed ? () => void run({ [seed.name]: 'random' }, 4) : null}
        use={(picture, other) => void use(picture, other)}
        painted={(picture, mask) => void use(picture, PAINTED, { mask })}
      />
      <History
        shown={ids}
        show={(run) => {
          if (run.workflow && run.workflow !== name) setName(run.workflow)
          give(run.inputs as Record<string, Json>)
          setIds([run.id])
          setProblem(null)
        }}
      />
    </main>
  )
}

/** The models that a form gives, by the inputs of steps that they go to. */
function modelsIn(form: Field[], given: Record<string, Json>): Record<string, string> {
  return Object.fromEntries(
    form.flatMap(({ name, schema, place }) => {
      const value = given[name]
      return schema['x-widget'] === 'model' && typeof value === 'string' && value ? [[place, value]] : []
    }),
  )
}
