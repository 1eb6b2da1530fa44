import { render } from 'preact';
import { App } from './app.tsx';
import { client } from './session.ts';
import './style.css';
import './theme.ts';

render(<App />, document.getElementById('app')!);
client.connect();
