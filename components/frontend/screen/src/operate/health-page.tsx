// The health of the host: readiness, links with their breakers, instances, consumers of events, and the rebuild of the view.

import { ConsumerTable } from './consumer-table';
import { HealthChecks } from './health-checks';
import { InstanceTable } from './instance-table';
import { LinkTable } from './link-table';
import { RebuildCard } from './rebuild-card';

export const HealthPage = () => (
  <div class="health">
    <HealthChecks />
    <LinkTable />
    <InstanceTable />
    <ConsumerTable />
    <RebuildCard />
  </div>
);
