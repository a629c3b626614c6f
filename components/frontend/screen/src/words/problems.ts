// What a person reads about a failed call, by the type of the problem: [Korean, English].

const unavailable = ['지금은 이용할 수 없습니다. 잠시 뒤에 다시 시도해 주세요.', 'This is not available at the moment. Please try again shortly.'] as const;
const busy = ['지금 이용하시는 분이 많습니다. 잠시만 기다려 주세요.', 'Many people are using SOCAR at the moment. Please wait a moment.'] as const;
const internal = ['저희 쪽에 문제가 생겼습니다. 잠시 뒤에 다시 시도해 주세요.', 'Something went wrong on our side. Please try again shortly.'] as const;
const input = ['입력한 값을 확인해 주세요.', 'Please check what you have entered.'] as const;
const forbidden = ['이 작업을 할 수 있는 권한이 없습니다.', 'Your role does not allow this.'] as const;
const signIn = ['로그인해 주세요.', 'Please sign in.'] as const;

export const problems = {
  'problem.unreachable': ['서버에 연결할 수 없습니다. 인터넷 연결을 확인해 주세요.', 'SOCAR cannot be reached. Please check your connection.'],
  'problem.timeout': ['응답이 제시간에 오지 않았습니다.', 'There was no answer in time.'],
  'problem.screen-failed': ['화면에 문제가 생겼습니다. 새로 고침해 주세요.', 'This page has a problem. Please reload it.'],
  'problem.other': ['요청을 처리할 수 없습니다.', 'The request could not be processed.'],

  'problem.bad-request': input,
  'problem.body-incomplete': ['전송이 중간에 끊겼습니다. 다시 시도해 주세요.', 'The connection broke off. Please try again.'],
  'problem.token-required': signIn,
  'problem.invalid-token': ['로그인이 만료되었습니다. 다시 로그인해 주세요.', 'Your sign-in is no longer valid. Please sign in again.'],
  'problem.grant-refused': ['로그인이 완료되지 않았습니다. 다시 로그인해 주세요.', 'You were not signed in. Please sign in again.'],
  'problem.role-required': ['아직 역할이 배정되지 않은 계정입니다.', 'This account has no role yet.'],
  'problem.not-found': ['찾을 수 없습니다.', 'This was not found.'],
  'problem.method-not-allowed': ['여기서는 할 수 없는 작업입니다.', 'This is not possible here.'],
  'problem.request-timeout': ['전송이 너무 느립니다. 다시 시도해 주세요.', 'The connection was too slow. Please try again.'],
  'problem.position-gone': ['처음부터 다시 불러옵니다.', 'Everything is being loaded again.'],
  'problem.payload-too-large': ['입력한 내용이 너무 깁니다.', 'What you have entered is too long.'],
  'problem.component-trapped': internal,
  'problem.overloaded': busy,
  'problem.too-many-listeners': busy,
  'problem.unavailable': unavailable,
  'problem.cut-off': unavailable,
  'problem.foreign-origin': forbidden,
  'problem.too-many-requests': ['요청이 너무 많습니다. 잠시만 기다려 주세요.', 'That was too many requests. Please wait a moment.'],
  'problem.identity-unavailable': ['지금은 로그인을 확인할 수 없습니다.', 'Sign-ins cannot be checked at the moment.'],
  'problem.not-kept': ['지금은 저장할 수 없습니다.', 'Nothing can be saved at the moment.'],
  'problem.experiment': unavailable,
  'problem.deadline-exceeded': ['처리 시간이 초과되었습니다.', 'This took too long.'],
  'problem.loop-detected': internal,
  'problem.stopping': unavailable,

  'problem.conflict': ['지금 상태에서는 할 수 없는 작업입니다.', 'This is not possible in the current state.'],
  'problem.invalid': input,
  'problem.malformed-json': input,
  'problem.bad-query': ['이 검색 조건은 사용할 수 없습니다.', 'This search is not possible.'],
  'problem.bad-idempotency-key': internal,
  'problem.unauthorised': signIn,
  'problem.payment-declined': ['결제가 승인되지 않았습니다. 청구된 금액은 없습니다. 다른 차를 고르거나 결제 수단을 확인해 주세요.', 'The payment was declined and you were not charged. Please choose another car or check how you pay.'],
  'problem.forbidden': forbidden,
  'problem.car-not-available': ['방금 다른 분이 먼저 예약했습니다. 다른 차를 골라 주세요.', 'Another customer was quicker. Please choose another car.'],
  'problem.car-booked': ['예약이 있는 차량입니다. 먼저 예약을 취소해 주세요.', 'This car has a reservation. Please cancel it first.'],
  'problem.reservation-limit': ['동시에 가질 수 있는 예약을 모두 사용하고 있습니다. 다른 예약을 먼저 취소해 주세요.', 'You have as many reservations as you may have at a time. Please cancel one of them first.'],
  'problem.reservation-undecided': ['예약이 아직 처리되고 있습니다. 잠시 뒤에 다시 시도해 주세요.', 'The reservation is still being processed. Please try again in a moment.'],
  'problem.reservation-rejected': ['거절된 예약은 취소할 수 없습니다.', 'A rejected reservation cannot be cancelled.'],
  'problem.idempotency-in-progress': ['같은 예약이 이미 처리되고 있습니다.', 'The same reservation is already being processed.'],
  'problem.idempotency-key-reuse': internal,
  'problem.precondition-failed': ['그 사이에 다른 사람이 수정했습니다.', 'Another person has changed this in the meantime.'],
  'problem.unsupported-media-type': internal,
  'problem.unsupported-content-encoding': internal,
  'problem.invalid-field': input,
  'problem.event-rejected': internal,
  'problem.corrupt-state': internal,
  'problem.event-failed': internal,

  'reason.unknown-car': ['더 이상 없는 차량입니다.', 'This car no longer exists.'],
  'reason.car-not-available': ['다른 분이 먼저 예약했습니다.', 'Another customer was quicker.'],
  'reason.payment-declined': ['결제가 승인되지 않았습니다. 청구된 금액은 없습니다.', 'The payment was declined. You were not charged.'],
  'reason.car-unreachable': unavailable,
  'reason.payment-unreachable': ['결제를 확인할 수 없어 예약하지 않았습니다. 청구된 금액은 없습니다.', 'The payment could not be made, so nothing was reserved. You were not charged.'],
  'reason.log-unavailable': unavailable,
  'reason.interrupted': ['예약이 중단되었습니다. 청구된 금액은 없습니다.', 'The reservation was interrupted. You were not charged.'],
} as const;
