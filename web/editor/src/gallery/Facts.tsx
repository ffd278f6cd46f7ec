import { Link } from 'wouter'
import { url } from '../api/client'
import type { ReceiptView } from '../api/types'
import { seconds } from '../common/typical'
import { useWords } from '../common/words'
import { Fact } from './Details'
import style from './Gallery.module.css'

interface Props {
  receipt: ReceiptView
  id: string
  compare: (parent: string) => void
}

/** What the receipt of a picture tells: the part people ask for first, the rest folded away. */
export function Facts({ receipt, id, compare }: Props) {
  const { facts: words } = useWords()
  const { seeds, sampling, models, scores, parents, verdicts } = receipt
  const took = Object.values(receipt.steps).reduce((sum, step) => sum + (step.seconds ?? 0), 0)
  const here = parents.filter((one) => one.id && one.id !== id && one.mime.startsWith('image/'))
  return (
    <>
      <dl className={style.facts}>
        {Object.entries(seeds).map(([name, seed]) => (
          <Fact
            key={name}
            name={Object.keys(seeds).length > 1 ? words.seedOf(name.split('.')[0] ?? name) : words.seed}
          >
            {text(seed)}
          </Fact>
        ))}
        {Object.keys(models).length > 0 && <Fact name={words.model}>{Object.keys(models).join(', ')}</Fact>}
        {receipt.loras.map((one) => (
          <Fact key={one.name} name={words.lora}>
            {words.loraAt(one.name, one.weight)}
          </Fact>
        ))}
        {Object.entries(sampling).map(([step, told]) => (
          <Fact key={step} name={words.drawn}>
            {[
              told.steps !== undefined && words.steps(text(told.steps)),
              told.method,
              told.guidance !== undefined && words.guidance(text(told.guidance)),
            ]
              .filter(Boolean)
              .map(text)
              .join(', ')}
          </Fact>
        ))}
        {took > 0 && <Fact name={words.took}>{seconds(took)}</Fact>}
        {scores.map((one) => (
          <Fact key={`${one.metric} ${one.prompt} ${one.at}`} name={sentence(text(one.metric))}>
            {Number(one.value).toPrecision(3)}
          </Fact>
        ))}
        {verdicts.length > 0 && (
          <Fact name={words.checked}>{[...new Set(verdicts.map((one) => text(one.action)))].join(', ')}</Fact>
        )}
      </dl>
      {here.length > 0 && (
        <section aria-label={words.madeFrom} className={style.parents}>
          <h3>{words.madeFrom}</h3>
          <ul>
            {here.map((one) => (
              <li key={one.sha256}>
                <img src={url(`/api/artifacts/${one.id}?size=128`)} alt={one.name || words.picture} />
                <button type="button" className="button" onClick={() => one.id && compare(one.id)}>
                  {words.compare}
                </button>
                {one.receipt && (
                  <Link className="button plain" href={`/images/${one.id}`}>
                    {words.show}
                  </Link>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
      <details className={style.receipt}>
        <summary>{words.receipt}</summary>
        <dl className={style.facts}>
          {Object.entries(receipt.inputs).map(([name, value]) => (
            <Fact key={name} name={name}>
              {text(value)}
            </Fact>
          ))}
          {Object.entries(receipt.steps).map(([name, step]) => (
            <Fact key={name} name={name}>
              {step.node}
              {step.cache && step.cache !== 'ran' ? words.known : ''}
              {step.seconds ? `, ${seconds(step.seconds)}` : ''}
            </Fact>
          ))}
          {Object.entries(receipt.environment).map(([name, value]) => (
            <Fact key={name} name={name}>
              {value}
            </Fact>
          ))}
          {Object.entries(models).map(([name, sha256]) => (
            <Fact key={name} name={name}>
              <code>{sha256.slice(0, 16)}…</code>
            </Fact>
          ))}
        </dl>
        <a className="button" href={url(`/api/artifacts/${id}/receipt`)} target="_blank" rel="noreferrer">
          {words.whole}
        </a>
      </details>
    </>
  )
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function sentence(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ')
}
