// The dialog that registers a car. It stays open for the next one.

import { useState } from 'preact/hooks';
import { registerCar } from '../api/resources';
import { Dialog } from '../parts/dialog';
import { ProblemNotice } from '../parts/problem-notice';
import { toast } from '../parts/toast';
import { useCommand } from '../parts/use-command';
import { word } from '../words';
import { CarFields, carOfDraft, EMPTY } from './car-form';

export function RegisterDialog({ close }: { close: () => void }) {
  const [draft, setDraft] = useState(EMPTY);
  const command = useCommand();
  const register = () =>
    command.run(async () => {
      const { body } = await registerCar(carOfDraft(draft));
      setDraft(EMPTY);
      toast(word('register.done', { carId: body.carId }));
      document.querySelector<HTMLElement>('dialog [name="carName"]')?.focus();
    });
  return (
    <Dialog title={word('register.title')} close={close}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          register();
        }}
      >
        <CarFields draft={draft} change={setDraft} problem={command.problem} />
        {/* A repetition after an unknown outcome could register the car twice: the user looks first. */}
        {command.problem?.outcomeUnknown && (
          <ProblemNotice problem={command.problem} headline={word('register.unknown')}>
            <p>{word('register.unknown.help')}</p>
          </ProblemNotice>
        )}
        {command.problem && !command.problem.outcomeUnknown && <ProblemNotice problem={command.problem} headline={word('register.failed')} retry={register} />}
        <div class="buttons">
          <button type="button" class="secondary" onClick={close}>
            {word('close')}
          </button>
          <button type="submit" class="primary" aria-disabled={command.isRunning}>
            {word('register.submit')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
