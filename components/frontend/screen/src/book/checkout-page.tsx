// One car with its price: the customer confirms and pays. A refusal says why, in words of the customer.

import { useState } from 'preact/hooks';
import { asProblem, Problem } from '../api/problem';
import { readView } from '../api/resources';
import { formatAmount } from '../format';
import { useLive } from '../live/use-live';
import { CarArt } from '../parts/car-art';
import { EmptyNote } from '../parts/empty-note';
import { Icon } from '../parts/icon';
import { Price } from '../parts/price';
import { ProblemNotice } from '../parts/problem-notice';
import { linkTo, open } from '../route';
import { word } from '../words';
import { isUndecided, reserve } from './reserve';

export function CheckoutPage({ carId }: { carId: number }) {
  const car = useLive(`car ${carId}`, (signal) => readView(carId, signal), { concerns: ({ data }) => data.carId === carId });
  const [isPaying, setPaying] = useState(false);
  // The outcome of an earlier visit may still be unknown.
  const [refusal, setRefusal] = useState(() => (isUndecided(carId) ? new Problem({ slug: 'timeout' }) : undefined));
  const pay = async () => {
    if (isPaying) return;
    setPaying(true);
    setRefusal(undefined);
    try {
      const rsvId = await reserve(carId);
      open(linkTo('book', { rsv: rsvId }));
    } catch (error) {
      setRefusal(asProblem(error));
      setPaying(false);
      car.reload();
    }
  };
  const { data, freshness } = car;
  // The customer who has taken the car may be this one.
  const isUnknown = refusal !== undefined && isUndecided(carId);
  const isGone = data && data.carStatus !== 'available' && !isPaying && !isUnknown;
  return (
    <article class="checkout">
      <a class="back" href={linkTo('book')}>
        <Icon name="back" />
        {word('book.other')}
      </a>
      <h1 data-heading tabIndex={-1}>
        {word('book.confirm')}
      </h1>
      {freshness.problem && <ProblemNotice problem={freshness.problem} retry={car.reload} />}
      {data && (
        <div class="card">
          <div class="hero">
            <CarArt carId={carId} />
          </div>
          <div class="hero-text">
            <h2>{data.carName}</h2>
            <p class="soft">{data.carType || word('type.none')}</p>
          </div>
          <dl class="bill">
            <div>
              <dt>{word('book.price')}</dt>
              <dd>
                <Price amount={data.amount} />
              </dd>
            </div>
            <div class="total">
              <dt>{word('book.total')}</dt>
              <dd>
                <Price amount={data.amount} />
              </dd>
            </div>
          </dl>
          {refusal && (
            <ProblemNotice problem={refusal} headline={word(isUnknown ? 'book.unknown' : 'book.failed')} retry={() => void pay()}>
              {isUnknown && <p>{word('book.unknown.help')}</p>}
            </ProblemNotice>
          )}
          {isGone ? (
            <EmptyNote title={word('book.gone')} text={word('book.gone.help')}>
              <a class="button primary" href={linkTo('book')}>
                {word('book.other')}
              </a>
            </EmptyNote>
          ) : (
            <>
              {data.amount > 0 && <p class="soft small">{word('book.pay.note')}</p>}
              <button type="button" class="primary large" aria-disabled={isPaying} onClick={() => void pay()}>
                {isPaying ? word('book.paying') : data.amount ? word('book.pay', { amount: formatAmount(data.amount) }) : word('book.pay.free')}
              </button>
            </>
          )}
        </div>
      )}
    </article>
  );
}
