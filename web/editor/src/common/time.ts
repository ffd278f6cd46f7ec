/** Spans and moments, as people say them. */
import { words } from './words'

/** A span of time as people say it. */
export function seconds(span: number): string {
  const { time } = words()
  if (span < 60) return time.seconds(decimal(Math.max(0.1, span), span < 9.95 ? 1 : 0))
  const minutes = Math.floor(span / 60)
  return minutes < 60
    ? time.minutes(minutes, Math.round(span % 60))
    : time.hours(Math.floor(minutes / 60), minutes % 60)
}

/** A number with at most so many decimals, as it is written in the language. */
export function decimal(value: number, digits: number): string {
  return value.toLocaleString(words().app.language, { maximumFractionDigits: digits })
}

/** A moment as people say it who look back. */
export function ago(at: number, now = Date.now() / 1000): string {
  const span = Math.max(0, now - at)
  const { time, app } = words()
  if (span < 45) return time.now
  if (span < 3600) return time.minutesAgo(Math.max(1, Math.round(span / 60)))
  if (span < 86400) return time.hoursAgo(Math.round(span / 3600))
  return new Date(at * 1000).toLocaleDateString(app.language, { day: 'numeric', month: 'short' })
}
