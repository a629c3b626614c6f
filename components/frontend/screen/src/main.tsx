// The entry point of the screen. Data is written as text nodes only; the content security policy blocks every other way.

import { render } from 'preact';
import './style/index.css';
import { App } from './app';
import { readIdentity } from './identity/session';

const root = document.getElementById('screen');
if (root) render(<App />, root);
void readIdentity();
