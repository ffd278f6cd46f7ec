/** Why a run failed, in a sentence. */
import { words } from './words'

export function sentenceOf(error: Partial<Record<string, string>>): string {
  const what = [error.step, error.input].filter(Boolean).join(' · ')
  const why = (error.code ?? '').replaceAll('_', ' ')
  const said = [what, why].filter(Boolean).join(': ')
  const got = error.got ? words().problem.got(error.got) : ''
  const want = error.want ? words().problem.want(error.want) : ''
  return `${said}${got}${want}.${error.remedy ? ` ${error.remedy}` : ''}`
}
