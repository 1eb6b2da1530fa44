import { render } from 'preact';
import { App } from './app.tsx';
import { watchServer } from './model.ts';
import { client } from './session.ts';
import './style.css';
import './theme.ts';
import { VIEWS } from './views/views.ts';

render(<App />, document.getElementById('app')!);
watchServer(VIEWS.flatMap((view) => view.types ?? []));
client.connect();
