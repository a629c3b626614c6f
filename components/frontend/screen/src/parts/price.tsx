// The price of one reservation.

import { formatAmount } from '../format';
import { word } from '../words';

export const Price = ({ amount }: { amount: number }) => <span class="price">{amount ? formatAmount(amount) : word('free')}</span>;
