// Messages of the platform to its customers, newest first.

import type { Message } from '../api/resources';
import { formatTime } from '../format';
import { word } from '../words';

export const MessageList = ({ messages }: { messages: Message[] }) => (
  <ul class="messages">
    {messages.map((message) => (
      <li key={message.msgId} data-tone={toneOf(message)} data-car-id={message.carId} data-rsv-id={message.rsvId}>
        <p lang={/[가-힣]/.test(message.content) ? 'ko' : 'en'}>{message.content}</p>
        <p class="about">
          <span>{word('rsv.title', { rsvId: message.rsvId })}</span>
          <time dateTime={message.sentAt}>{formatTime(message.sentAt)}</time>
        </p>
      </li>
    ))}
  </ul>
);

/** By the kind of the message; by its Korean text on a platform whose messages have no kind. */
function toneOf({ kind, content }: Message): string {
  if (kind === 'reservation-confirmed' || /완료/.test(content)) return 'good';
  if (kind === 'reservation-rejected' || /거절/.test(content)) return 'bad';
  return 'calm';
}
