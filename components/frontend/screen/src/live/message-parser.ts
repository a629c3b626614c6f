// The messages of a stream of Server-Sent Events, from text that arrives in parts of any length.

export interface StreamMessage {
  id?: string;
  data?: string;
  retry?: number;
}

export class MessageParser {
  #rest = '';

  /** The messages that this part of the text completes. */
  push(text: string): StreamMessage[] {
    const blocks = (this.#rest + text).replaceAll('\r\n', '\n').split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.map(messageOf);
  }
}

function messageOf(block: string): StreamMessage {
  const message: StreamMessage = {};
  for (const line of block.split('\n')) {
    const [, name, value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name === 'id') message.id = value;
    if (name === 'retry' && /^\d+$/.test(value)) message.retry = Number(value);
    if (name === 'data') message.data = message.data === undefined ? value : `${message.data}\n${value}`;
  }
  return message;
}
