// The search, the filters, the order and the export of the table.

import { searchCars, type CarQuery } from '../api/search';
import { asProblem } from '../api/problem';
import { useState } from 'preact/hooks';
import { Icon } from '../parts/icon';
import { SearchBox } from '../parts/search-box';
import { problemText } from '../parts/problem-text';
import { toast } from '../parts/toast';
import { change } from '../route';
import { word, wordFor } from '../words';
import { formatNumber } from '../format';
import { CAR_STATUSES, COLUMNS, PAY_STATUSES, RSV_STATUSES } from './car-query';
import { download, writeCsv } from './csv';

type Query = Omit<CarQuery, 'page' | 'size'> & { sort: string };

export function Toolbar({ query }: { query: Query }) {
  const set = (name: string) => (event: { currentTarget: HTMLInputElement | HTMLSelectElement }) => change({ [name]: event.currentTarget.value, page: undefined });
  const [isOpen, setOpen] = useState(false);
  return (
    <div class="toolbar" data-open={isOpen}>
      <SearchBox label={word('fleet.search')} value={query.q ?? ''} search={(q) => change({ q, page: undefined }, { replace: true })} />
      <fieldset class="segments">
        <legend class="visually-hidden">{word('carStatus')}</legend>
        {CAR_STATUSES.map((status) => (
          <label key={status}>
            <input type="radio" name="status" value={status} checked={query.carStatus === status} onChange={set('status')} />
            <span>{status ? wordFor('carStatus', status) : word('fleet.filter.all')}</span>
          </label>
        ))}
      </fieldset>
      <button type="button" class="secondary narrow-only" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {word('fleet.filters')}
      </button>
      <Choice label={word('rsvId')} value={query.rsvStatus ?? ''} set={set('rsv')} choices={RSV_STATUSES.map((status) => [status, status ? wordFor('rsvStatus', status) : word('fleet.filter.rsv')])} />
      <Choice label={word('payId')} value={query.payStatus ?? ''} set={set('pay')} choices={PAY_STATUSES.map((status) => [status, status ? wordFor('payStatus', status) : word('fleet.filter.pay')])} />
      <Choice
        label={word('fleet.sort')}
        value={query.sort}
        set={set('sort')}
        choices={COLUMNS.flatMap((column) => (['asc', 'desc'] as const).map((order): [string, string] => [`${column},${order}`, word(`sort.${order}`, { column: word(column) })]))}
      />
      <ExportButton query={query} />
    </div>
  );
}

interface ChoiceProperties {
  label: string;
  value: string;
  set: (event: { currentTarget: HTMLSelectElement }) => void;
  choices: [value: string, text: string][];
}

const Choice = ({ label, value, set, choices }: ChoiceProperties) => (
  <select aria-label={label} value={value} onChange={set}>
    {choices.map(([each, text]) => (
      <option key={each} value={each}>
        {text}
      </option>
    ))}
  </select>
);

/** Saves all cars of the query as a CSV file, page by page. */
function ExportButton({ query }: { query: Query }) {
  const [progress, setProgress] = useState('');
  const run = async () => {
    if (progress) return;
    setProgress(word('fleet.export.running', { done: 0, total: '…' }));
    try {
      const rows = [];
      for (let page = 0, pages = 1; page < pages; page += 1) {
        // By number, so that a car that is registered meanwhile moves no other one to another page.
        const { body } = await searchCars({ ...query, sort: 'carId,asc', page, size: 1000 });
        rows.push(...body.rows);
        pages = body.page.totalPages;
        setProgress(word('fleet.export.running', { done: formatNumber(rows.length), total: formatNumber(body.page.totalElements) }));
      }
      const columns = ['carId', 'carName', 'carType', 'amount', 'carStatus', 'rsvId', 'rsvStatus', 'payId', 'payStatus'] as const;
      download('socar-cars.csv', writeCsv([[...columns], ...rows.map((row) => columns.map((column) => String(row[column] ?? '')))]));
      toast(word('fleet.export.done', { count: formatNumber(rows.length) }));
    } catch (error) {
      toast(`${word('fleet.export.failed')}: ${problemText(asProblem(error))}`);
    } finally {
      setProgress('');
    }
  };
  return (
    <button type="button" class="secondary" aria-disabled={progress !== ''} onClick={() => void run()}>
      <Icon name="download" />
      {progress || word('fleet.export')}
    </button>
  );
}
