// The events of the platform, as the live stream sends them.

/** Every event type of the platform. */
export const EVENT_TYPES = [
  'CarRegistered', 'CarModified', 'CarDeleted', 'CarReserved', 'CarCancelled',
  'ReservationCreated', 'ReservationConfirmed', 'ReservationRejected', 'ReservationCancelRequested', 'ReservationCancelled',
  'PaymentApproved', 'PaymentCancelled',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** A CloudEvent, with the members that the screen uses. */
export interface PlatformEvent {
  id: string;
  type: EventType;
  source: string;
  subject: string;
  time: string;
  sequence?: number;
  correlationid?: string;
  causationid?: string;
  traceparent?: string;
  actor?: string;
  data: { carId?: number; rsvId?: number; payId?: number; status?: string; reason?: string; amount?: number };
}
