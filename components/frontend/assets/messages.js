// The latest messages, newest first. A message never changes, so what is on the screen stays and only news is added.

import { call } from './api.js';
import { formatTime, word } from './words.js';

/** As many as one can take in at a glance; the rest is history. */
const LATEST = 20;

export class Messages {
  #list = document.getElementById('messages');
  #messages;

  async load(signal) {
    const { body } = await call('GET', `/messages?page=0&size=${LATEST}&sort=msgId,desc`, { signal });
    const first = !this.#messages;
    this.#messages = body._embedded?.messages ?? [];
    this.draw(!first);
    // The first page is not news; from here on, what arrives is read aloud.
    if (first) requestAnimationFrame(() => this.#list.setAttribute('aria-live', 'polite'));
  }

  /** Brings the list up to date; `news` marks what was not there before. */
  draw(news = false) {
    if (!this.#messages) return;
    document.getElementById('messages-empty').hidden = this.#messages.length > 0;
    const shown = new Map([...this.#list.children].map((item) => [Number(item.dataset.msgId), item]));
    this.#messages.forEach((message, position) => {
      const item = shown.get(message.msgId) ?? createItem(message, news);
      shown.delete(message.msgId);
      fillItem(item, message);
      if (this.#list.children[position] !== item) this.#list.insertBefore(item, this.#list.children[position] ?? null);
    });
    for (const gone of shown.values()) gone.remove();
  }
}

function createItem({ msgId, carId, rsvId, content }, news) {
  const item = document.createElement('li');
  Object.assign(item.dataset, { msgId, carId, rsvId, tone: toneOf(content) });
  if (news) item.classList.add('new');
  const text = document.createElement('p');
  // Messages are in the product's first language, whatever the screen speaks.
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

/** A colour for the three kinds of messages there are; a new kind simply has none. */
function toneOf(content) {
  if (/완료/.test(content)) return 'good';
  if (/취소/.test(content)) return 'calm';
  return /거절/.test(content) ? 'bad' : '';
}
