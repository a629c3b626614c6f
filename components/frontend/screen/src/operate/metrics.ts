// The metrics of the host in the text format of Prometheus, as far as the screen shows them.

export interface Sample {
  labels: Record<string, string>;
  value: number;
}

/** The samples of one metric. */
export function samplesOf(text: string, metric: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith(`${metric}{`)) return [];
    const [, labels = '', value = ''] = /^\w+\{(.*)\} (\S+)/.exec(line) ?? [];
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    return [{ labels: Object.fromEntries(pairs.map(([, name = '', text = '']) => [name, text])), value: Number(value) }];
  });
}
