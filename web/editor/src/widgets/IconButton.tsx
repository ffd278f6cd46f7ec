import type { LucideIcon } from 'lucide-react'
import type { ComponentProps } from 'react'

interface Props extends Omit<ComponentProps<'button'>, 'type' | 'children' | 'aria-label'> {
  /** What it does: said to who does not see the icon. */
  label: string
  icon: LucideIcon
  size?: number
}

/** A button that is only an icon. */
export function IconButton({ label, icon: Icon, size = 16, className = 'plain', ...more }: Props) {
  return (
    <button type="button" className={`button icon ${className}`} aria-label={label} {...more}>
      <Icon size={size} aria-hidden="true" />
    </button>
  )
}
