interface Props {
  label: string
  /** What stands there while nothing is typed; left out: the label. */
  says?: string
  text: string
  type: (text: string) => void
  className?: string
}

/** Where words are typed to find something. */
export function SearchField({ label, says = label, text, type, className = '' }: Props) {
  return (
    <input
      type="search"
      className={`field ${className}`}
      aria-label={label}
      placeholder={says}
      value={text}
      onChange={(event) => type(event.target.value)}
    />
  )
}
