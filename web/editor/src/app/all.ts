/** Every action of every page: one list, for the palette, the list of keys and whoever gives them others. */

import { type Action, EVERYWHERE } from '../common/actions'
import { VIEWER } from '../common/viewing'
import { CREATE } from '../create/actions'
import { GALLERY } from '../gallery/actions'
import { ACTIONS } from '../graph/actions'
import { MASK } from '../mask/actions'

export const ALL: readonly Action[] = [...EVERYWHERE, ...CREATE, ...ACTIONS, ...GALLERY, ...VIEWER, ...MASK]
