// What was typed beside what another person has saved, with a choice for each field that differs.

import { useState } from 'preact/hooks';
import { word } from '../words';
import { FIELDS, type CarDraft, type Field } from './car-form';

interface Properties {
  mine: CarDraft;
  theirs: CarDraft;
  choose: (draft: CarDraft) => void;
}

export function MergeTable({ mine, theirs, choose }: Properties) {
  // The typed values at the time of the conflict: a choice can be taken back.
  const [typed] = useState(mine);
  const shown = (value: string) => value || word('merge.empty');
  const option = (field: Field, value: string, label: string) => (
    <label>
      <input type="radio" name={`merge-${field}`} checked={mine[field] === value} onChange={() => choose({ ...mine, [field]: value })} aria-label={`${label}: ${shown(value)}`} />
      <span>{shown(value)}</span>
    </label>
  );
  return (
    <section class="merge" role="alert" aria-labelledby="merge-title">
      <h3 id="merge-title">{word('merge.title')}</h3>
      <p>{word('merge.help')}</p>
      <table>
        <thead>
          <tr>
            <th scope="col">{word('merge.field')}</th>
            <th scope="col">{word('merge.mine')}</th>
            <th scope="col">{word('merge.theirs')}</th>
          </tr>
        </thead>
        <tbody>
          {FIELDS.map((field) => (
            <tr key={field}>
              <th scope="row">{word(field)}</th>
              {typed[field].trim() === theirs[field] ? (
                <td colSpan={2}>
                  {shown(theirs[field])} <small>{word('merge.same')}</small>
                </td>
              ) : (
                <>
                  <td>{option(field, typed[field], word('merge.mine'))}</td>
                  <td>{option(field, theirs[field], word('merge.theirs'))}</td>
                </>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
