// The dialog that edits a car. It saves only if the car has not changed since (If-Match). If it has, both versions are
// shown side by side, and what was typed stays.

import { useState } from 'preact/hooks';
import { asProblem, Problem } from '../api/problem';
import { readCar, replaceCar, type Car } from '../api/resources';
import { Dialog } from '../parts/dialog';
import { ProblemNotice } from '../parts/problem-notice';
import { toast } from '../parts/toast';
import { useCommand } from '../parts/use-command';
import { word } from '../words';
import { CarFields, carOfDraft, draftOfCar, FIELDS, type CarDraft } from './car-form';
import { MergeTable } from './merge-table';

interface Properties {
  car: Car;
  etag: string | null;
  close: () => void;
  saved: () => void;
}

export function EditDialog({ car, etag, close, saved }: Properties) {
  const [draft, setDraft] = useState(() => draftOfCar(car));
  const [tag, setTag] = useState(etag);
  const [theirs, setTheirs] = useState<CarDraft>();
  const command = useCommand();
  const save = () =>
    command.run(async () => {
      try {
        await replaceCar(car.carId, carOfDraft(draft), tag);
      } catch (error) {
        const problem = asProblem(error);
        if (problem.status !== 412) throw problem;
        const current = await readCar(car.carId);
        setTag(current.etag);
        setTheirs(draftOfCar(current.body));
        // Equal values need no decision.
        if (FIELDS.some((field) => draftOfCar(current.body)[field] !== draft[field].trim())) throw new Problem({ slug: 'precondition-failed', status: 412 });
      }
      toast(word('edit.done', { carId: car.carId }));
      saved();
      close();
    });
  const isConflict = command.problem?.status === 412;
  return (
    <Dialog title={word('edit.title', { carId: car.carId })} close={close} wide={theirs !== undefined}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <CarFields draft={draft} change={setDraft} problem={command.problem} />
        {theirs && <MergeTable mine={draft} theirs={theirs} choose={setDraft} />}
        {command.problem && !isConflict && <ProblemNotice problem={command.problem} headline={word('edit.failed')} retry={save} />}
        <div class="buttons">
          <button type="button" class="secondary" onClick={close}>
            {word('close')}
          </button>
          <button type="submit" class="primary" aria-disabled={command.isRunning}>
            {word('edit.submit')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
