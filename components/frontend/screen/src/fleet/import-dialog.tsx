// The import of cars from a CSV file: a preview, the progress, and a report of the lines that were refused.

import { useRef, useState } from 'preact/hooks';
import { formatNumber } from '../format';
import { Icon } from '../parts/icon';
import { Dialog } from '../parts/dialog';
import { fieldText, problemText } from '../parts/problem-text';
import { word } from '../words';
import { FIELDS } from './car-form';
import { importCars, linesOf, type ImportLine, type RefusedLine } from './car-import';
import { download, writeCsv } from './csv';

const PREVIEW = 8;

interface Run {
  done: number;
  refused: RefusedLine[];
  state: 'running' | 'finished';
}

export function ImportDialog({ close }: { close: () => void }) {
  const [lines, setLines] = useState<ImportLine[]>();
  const [name, setName] = useState('');
  const [mistake, setMistake] = useState('');
  const [run, setRun] = useState<Run>();
  const stop = useRef(new AbortController());
  const read = async (file: File | undefined) => {
    if (!file) return;
    setName(file.name);
    const read = linesOf(await file.text());
    setRun(undefined);
    setMistake(read === undefined ? word('import.no.name') : read.length ? '' : word('import.empty'));
    setLines(read?.length ? read : undefined);
  };
  const start = async (chosen: ImportLine[]) => {
    stop.current = new AbortController();
    const current: Run = { done: 0, refused: [], state: 'running' };
    const show = () => setRun({ ...current });
    show();
    const progress = {
      registered: () => {
        current.done += 1;
        show();
      },
      refused: (line: RefusedLine) => {
        current.refused.push(line);
        show();
      },
    };
    await importCars(chosen, progress, stop.current.signal);
    current.state = 'finished';
    show();
  };
  const leave = () => {
    stop.current.abort();
    close();
  };
  return (
    <Dialog title={word('import.title')} close={leave} wide>
      <p class="soft">{word('import.help')}</p>
      <p class="file">
        <label class="button secondary">
          <Icon name="upload" />
          {word('import.choose')}
          <input class="visually-hidden" type="file" accept=".csv,text/csv,text/plain" disabled={run?.state === 'running'} onChange={(event) => void read(event.currentTarget.files?.[0])} />
        </label>
        <span class="soft">{name}</span>
      </p>
      {mistake && (
        <p class="field-error" role="alert">
          {mistake}
        </p>
      )}
      {lines && !run && <Preview lines={lines} />}
      {lines && run && <Report run={run} total={lines.length} />}
      <div class="buttons">
        <button type="button" class="secondary" onClick={leave}>
          {word('close')}
        </button>
        {run?.state === 'running' && (
          <button type="button" class="secondary" onClick={() => stop.current.abort()}>
            {word('import.stop')}
          </button>
        )}
        {lines && !run && (
          <button type="button" class="primary" onClick={() => void start(lines)}>
            {word('import.start', { count: formatNumber(lines.length) })}
          </button>
        )}
      </div>
    </Dialog>
  );
}

function Preview({ lines }: { lines: ImportLine[] }) {
  const shown = lines.slice(0, PREVIEW);
  return (
    <>
      <h3>{word('import.preview', { count: formatNumber(lines.length), shown: shown.length })}</h3>
      <LineTable lines={shown} />
    </>
  );
}

function Report({ run: { done, refused, state }, total }: { run: Run; total: number }) {
  const tried = done + refused.length;
  const rest = total - tried;
  return (
    <>
      <p role="status">
        {state === 'running' ? word('import.progress', { done: formatNumber(tried), total: formatNumber(total) }) : word('import.report', { done: formatNumber(done), refused: formatNumber(refused.length) })}
        {state === 'finished' && rest > 0 && ` ${word('import.stopped', { rest: formatNumber(rest) })}`}
      </p>
      <progress max={total} value={tried} aria-label={word('import.progress', { done: tried, total })} />
      {refused.length > 0 && (
        <>
          <h3>{word('import.refused')}</h3>
          <LineTable lines={refused.slice(0, 50)} reason={reasonOf} />
          <button type="button" class="secondary" onClick={() => download('socar-refused.csv', writeCsv([['line', ...FIELDS, 'reason'], ...refused.map((each) => [String(each.line), ...FIELDS.map((field) => each.draft[field]), reasonOf(each)])]))}>
            {word('import.download')}
          </button>
        </>
      )}
    </>
  );
}

function LineTable<T extends ImportLine>({ lines, reason }: { lines: T[]; reason?: (line: T) => string }) {
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={word('import.title')}>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">{word('import.line')}</th>
            {FIELDS.map((field) => (
              <th key={field} scope="col">
                {word(field)}
              </th>
            ))}
            {reason && <th scope="col">{word('import.reason')}</th>}
          </tr>
        </thead>
        <tbody>
          {lines.map((each) => (
            <tr key={each.line}>
              <td>{each.line}</td>
              {FIELDS.map((field) => (
                <td key={field}>{each.draft[field]}</td>
              ))}
              {reason && <td>{reason(each)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Why a line was refused: each field, or else the whole. */
function reasonOf({ problem }: RefusedLine): string {
  return problem.errors.length ? problem.errors.map((error) => `${word(error.field as 'carName')}: ${fieldText(error)}`).join(' ') : problemText(problem);
}
