// Numbers, amounts and times in the current language.

import { language } from './preferences';

const locale = () => (language.value === 'ko' ? 'ko-KR' : 'en-GB');

export const formatNumber = (value: number): string => new Intl.NumberFormat(locale()).format(value);
export const formatShare = (value: number): string => new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 0 }).format(value);
export const formatAmount = (value: number): string => new Intl.NumberFormat(locale(), { style: 'currency', currency: 'KRW' }).format(value);

/** A large amount in few characters, such as ₩1.2M. */
export const formatShortAmount = (value: number): string =>
  new Intl.NumberFormat(locale(), { style: 'currency', currency: 'KRW', notation: 'compact', maximumFractionDigits: 1 }).format(value);

/** A time of today with its seconds, any other time with its date. */
export function formatTime(value: string | number): string {
  const time = new Date(value);
  if (Number.isNaN(time.getTime())) return String(value);
  const isToday = time.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(locale(), { dateStyle: isToday ? undefined : 'short', timeStyle: 'medium' }).format(time);
}

export const formatClock = (value: number): string =>
  new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(value);

export const formatHour = (value: string): string => new Intl.DateTimeFormat(locale(), { hour: '2-digit', hourCycle: 'h23' }).format(new Date(value));

export const formatDay = (value: number): string => new Intl.DateTimeFormat(locale(), { dateStyle: 'full' }).format(value);

/** A duration in its two greatest units, such as `3:05`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
