// The view Operate, for operators: health, the saga of each reservation, events, dead letters, fault injection.

import { choiceParameter, linkTo } from '../route';
import { word, type Word } from '../words';
import { DeadLettersPage } from './dead-letters-page';
import { EventsPage } from './events-page';
import { FaultsPage } from './faults-page';
import { HealthPage } from './health-page';
import { TracePage } from './trace-page';

const PAGES = { overview: HealthPage, reservations: TracePage, events: EventsPage, 'dead-letters': DeadLettersPage, faults: FaultsPage };
const TABS = ['overview', 'reservations', 'events', 'dead-letters', 'faults'] as const;

export function OperateView() {
  const tab = choiceParameter('tab', TABS);
  const Page = PAGES[tab];
  return (
    <main id="content" class="operate" tabIndex={-1}>
      <div class="page-head">
        <h1 data-heading tabIndex={-1}>
          {word('operate.title')}
        </h1>
        <nav class="tabs" aria-label={word('operate.title')}>
          {TABS.map((each) => (
            <a key={each} href={linkTo('operate', { tab: each })} aria-current={tab === each ? 'page' : undefined}>
              {word(`operate.${each}` as Word)}
            </a>
          ))}
        </nav>
      </div>
      <Page />
    </main>
  );
}
