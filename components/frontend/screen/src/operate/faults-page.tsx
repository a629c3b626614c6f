// Fault injection, where the host allows it: the active faults with the time that is left, and a form for another one.

import { useMemo, useState } from 'preact/hooks';
import { endFault, FAULTS, injectFault, listFaults, type ActiveFault, type Fault } from '../api/operations';
import { useLive } from '../live/use-live';
import { useCountdown } from '../parts/countdown';
import { FreshnessNote } from '../parts/freshness';
import { Icon } from '../parts/icon';
import { ProblemNotice } from '../parts/problem-notice';
import { useCommand } from '../parts/use-command';
import { word, wordFor } from '../words';
import { NeedsNote } from './needs-note';

const TARGETS = ['car', 'reservation', 'payment', 'message', 'viewpage', 'frontend', 'outbound'];
const CALLERS = ['', 'outside', 'events', 'reservation', 'viewpage'];

export function FaultsPage() {
  const faults = useLive('faults', (signal) => listFaults(signal), { polled: true });
  const command = useCommand();
  const active = faults.data?.experiments ?? [];
  const run = (work: () => Promise<unknown>) =>
    command.run(async () => {
      await work();
      faults.reload();
    });
  const { problem } = faults.freshness;
  return (
    <div class="faults">
      <section class="card" aria-labelledby="faults-title">
        <div class="card-head">
          <h2 id="faults-title">{word('faults.active')}</h2>
          <FreshnessNote freshness={faults.freshness} />
        </div>
        <NeedsNote problem={problem} retry={faults.reload} />
        {command.problem && <ProblemNotice problem={command.problem} headline={word('operate.failed')} dismiss={command.clear} />}
        {faults.data && active.length === 0 && <p class="soft">{word('faults.none')}</p>}
        <ul class="fault-rows">
          {active.map((fault) => (
            <Row key={fault.id} fault={fault} end={() => run(() => endFault(fault.id))} />
          ))}
        </ul>
      </section>
      {faults.data && <NewFault isRunning={command.isRunning} inject={(fault) => run(() => injectFault(fault))} />}
    </div>
  );
}

/** The host says how much of its time a fault has left, so that the clocks of the host and of the browser may differ. */
function Row({ fault, end }: { fault: ActiveFault; end: () => void }) {
  // Each response is a new object, also if it says the same.
  const ends = useMemo(() => Date.now() + fault.remaining_ms, [fault]);
  const left = useCountdown(ends);
  return (
    <li>
      <Icon name="bolt" />
      <span>
        <strong>{wordFor('fault', fault.fault)}</strong> {fault.from ?? word('faults.from.any')} → {fault.to} {fault.fault === 'latency' && `${fault.latency_ms} ms`} {Math.round((fault.rate ?? 1) * 100)}%
      </span>
      <span class="numbers">{word('faults.left', { seconds: left })}</span>
      <button type="button" class="secondary" onClick={end}>
        {word('faults.end')}
      </button>
    </li>
  );
}

function NewFault({ isRunning, inject }: { isRunning: boolean; inject: (fault: Parameters<typeof injectFault>[0]) => void }) {
  const [to, setTo] = useState('payment');
  const [from, setFrom] = useState('');
  const [fault, setFault] = useState<Fault>('latency');
  const [latency, setLatency] = useState('500');
  const [rate, setRate] = useState('100');
  const [seconds, setSeconds] = useState('30');
  const submit = () =>
    inject({ to, fault, seconds: Number(seconds), rate: Number(rate) / 100, ...(from && { from }), ...(fault === 'latency' && { latency_ms: Number(latency) }) });
  return (
    <form
      class="card new-fault"
      aria-labelledby="new-fault"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <h2 id="new-fault">{word('faults.new')}</h2>
      <Choice label={word('faults.fault')} value={fault} set={(value) => setFault(value as Fault)} choices={FAULTS.map((each) => [each, wordFor('fault', each)])} />
      <Choice label={word('faults.to')} value={to} set={setTo} choices={TARGETS.map((each) => [each, each])} />
      <Choice label={word('faults.from')} value={from} set={setFrom} choices={CALLERS.map((each) => [each, each || word('faults.from.any')])} />
      {fault === 'latency' && <Quantity label={word('faults.latency')} value={latency} set={setLatency} max={60_000} />}
      <Quantity label={word('faults.rate')} value={rate} set={setRate} max={100} />
      <Quantity label={word('faults.seconds')} value={seconds} set={setSeconds} max={3600} />
      <button type="submit" class="danger" aria-disabled={isRunning}>
        {word('faults.start')}
      </button>
    </form>
  );
}

interface ChoiceProperties {
  label: string;
  value: string;
  set: (value: string) => void;
  choices: [value: string, text: string][];
}

const Choice = ({ label, value, set, choices }: ChoiceProperties) => (
  <label class="field">
    <span>{label}</span>
    <select value={value} onChange={(event) => set(event.currentTarget.value)}>
      {choices.map(([each, text]) => (
        <option key={each} value={each}>
          {text}
        </option>
      ))}
    </select>
  </label>
);

const Quantity = ({ label, value, set, max }: { label: string; value: string; set: (value: string) => void; max: number }) => (
  <label class="field">
    <span>{label}</span>
    <input type="number" min={1} max={max} step={1} required value={value} onInput={(event) => set(event.currentTarget.value)} />
  </label>
);
