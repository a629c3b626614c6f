// The view Fleet, for the company: a wall that shows the state of all cars, and a table to work with.

import { Icon } from '../parts/icon';
import { change, choiceParameter, linkWith, parameter } from '../route';
import { word } from '../words';
import { ImportDialog } from './import-dialog';
import { RegisterDialog } from './register-dialog';
import { CarTable } from './car-table';
import { Wall } from './wall';

export const DISPLAYS = ['wall', 'table'] as const;

export function FleetView() {
  const display = choiceParameter('display', DISPLAYS);
  const dialog = parameter('do');
  const close = () => change({ do: undefined }, { replace: true });
  return (
    <main id="content" class="fleet" data-display={display} tabIndex={-1}>
      <div class="page-head">
        <h1 data-heading tabIndex={-1}>
          {word('fleet.title')}
        </h1>
        <nav class="tabs" aria-label={word('fleet.title')}>
          <a href={linkWith({ view: 'fleet', display: 'wall', car: undefined })} aria-current={display === 'wall' ? 'page' : undefined}>
            <Icon name="wall" />
            {word('fleet.wall')}
          </a>
          <a href={linkWith({ view: 'fleet', display: 'table' })} aria-current={display === 'table' ? 'page' : undefined}>
            <Icon name="table" />
            {word('fleet.table')}
          </a>
        </nav>
        <div class="page-actions">
          {display === 'table' && (
            <a class="button secondary" href={linkWith({ do: 'import' })}>
              <Icon name="upload" />
              {word('fleet.import')}
            </a>
          )}
          <a class="button primary" href={linkWith({ do: 'register' })}>
            <Icon name="add" />
            {word('fleet.register')}
          </a>
        </div>
      </div>
      {display === 'wall' ? <Wall /> : <CarTable />}
      {dialog === 'register' && <RegisterDialog close={close} />}
      {dialog === 'import' && <ImportDialog close={close} />}
    </main>
  );
}
