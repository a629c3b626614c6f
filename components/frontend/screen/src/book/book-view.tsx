// The view Book, for a customer on a phone: find a car, confirm and pay, follow the reservation, cancel it.

import { linkTo, numberParameter, parameter } from '../route';
import { word } from '../words';
import { CheckoutPage } from './checkout-page';
import { FindPage } from './find-page';
import { MyReservationsPage } from './my-reservations-page';
import { ReservationPage } from './reservation-page';

export function BookView() {
  const carId = numberParameter('car', undefined);
  const rsvId = numberParameter('rsv', undefined);
  const isMine = parameter('mine') !== '';
  return (
    <main id="content" class="book" tabIndex={-1}>
      <nav class="tabs" aria-label={word('view.book')}>
        <a href={linkTo('book')} aria-current={!isMine && rsvId === undefined ? 'page' : undefined}>
          {word('book.find')}
        </a>
        <a href={linkTo('book', { mine: 1 })} aria-current={isMine || rsvId !== undefined ? 'page' : undefined}>
          {word('book.mine')}
        </a>
      </nav>
      {rsvId !== undefined ? (
        <ReservationPage key={rsvId} rsvId={rsvId} />
      ) : carId !== undefined ? (
        <CheckoutPage key={carId} carId={carId} />
      ) : isMine ? (
        <MyReservationsPage />
      ) : (
        <FindPage />
      )}
    </main>
  );
}
