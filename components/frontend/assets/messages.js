// The latest messages, newest first. A message never changes, so a refresh only adds new ones.

import { call } from './api.js';
import { formatTime, word } from './words.js';

/** Number of messages on the screen. */
const LATEST = 20;

export class Messages {
  #list = document.getElementById('messages');
  #messages;

  async load(signal) {
    const { body } = await call('GET', `/messages?page=0&size=${LATEST}&sort=msgId,desc`, { signal });
    const first = !this.#messages;
    this.#messages = body._embedded?.messages ?? [];
    this.draw(!first);
    // Screen readers announce only the messages that arrive after the first page.
    if (first) requestAnimationFrame(() => this.#list.setAttribute('aria-live', 'polite'));
  }

  /** Updates the list. `highlightNew` highlights the messages that it did not contain. */
  draw(highlightNew = false) {
    if (!this.#messages) return;
    document.getElementById('messages-empty').hidden = this.#messages.length > 0;
    const shown = new Map([...this.#list.children].map((item) => [Number(item.dataset.msgId), item]));
    this.#messages.forEach((message, position) => {
      const item = shown.get(message.msgId) ?? createItem(message, highlightNew);
      shown.delete(message.msgId);
      fillItem(item, message);
      if (this.#list.children[position] !== item) this.#list.insertBefore(item, this.#list.children[position] ?? null);
    });
    for (const gone of shown.values()) gone.remove();
  }
}

function createItem({ msgId, carId, rsvId, content }, highlightNew) {
  const item = document.createElement('li');
  Object.assign(item.dataset, { msgId, carId, rsvId, tone: toneOf(content) });
  if (highlightNew) item.classList.add('new');
  const text = document.createElement('p');
  // Messages are in Korean, in every language of the screen.
  text.lang = 'ko';
  text.textContent = content;
  const about = document.createElement('p');
  about.className = 'about';
  about.append(document.createElement('span'), document.createElement('time'));
  item.append(text, about);
  return item;
}

function fillItem(item, { rsvId, sentAt }) {
  const [reservation, time] = item.querySelector('.about').children;
  const texts = [rsvId == null ? '' : word('message.of', { rsvId }), sentAt == null ? '' : formatTime(sentAt)];
  [reservation, time].forEach((element, index) => {
    if (element.textContent !== texts[index]) element.textContent = texts[index];
  });
  if (sentAt != null) time.dateTime = String(sentAt);
}

/** The colour of the three kinds of messages; another kind has none. */
function toneOf(content) {
  if (/완료/.test(content)) return 'good';
  if (/취소/.test(content)) return 'calm';
  return /거절/.test(content) ? 'bad' : '';
}
