import { createRoot } from 'react-dom/client'
import { App } from './app/App'
import { speak } from './common/words'
import { followSettings } from './settings/settings'
import { dress } from './settings/theme'
import './app/tokens.css'

followSettings()
dress()
const place = document.getElementById('app')
void speak().then(() => place && createRoot(place).render(<App />))
