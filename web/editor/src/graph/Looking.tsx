import { Viewer } from '../common/Viewer'
import { useWords } from '../common/words'
import { useLook } from './look'

/** The picture that is looked at. */
export function Looking() {
  const { file } = useLook()
  const { canvas: words } = useWords()
  return file && <Viewer file={file} title={words.made} close={() => useLook.setState({ file: null })} />
}
