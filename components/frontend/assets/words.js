// The texts of the screen in Korean and in English, and the formats of numbers and times in both languages.
// An element names its text with data-text (content), data-label (aria-label) or data-hint (placeholder).

const words = {
  ko: {
    'title': 'SOCAR · 차량 예약 현황',
    'skip': '차량 목록으로 건너뛰기',
    'subtitle': '차량 예약 현황',
    'theme': '화면 모드', 'theme.system': '시스템 모드', 'theme.light': '밝은 모드', 'theme.dark': '어두운 모드',

    'figures': '요약', 'figures.total': '전체 차량', 'figures.available': '예약 가능', 'figures.reserved': '예약됨', 'figures.share': '예약률',

    'register': '차량 등록', 'register.submit': '등록하기', 'register.done': '{carId}번 차량을 등록했습니다.', 'register.failed': '차량을 등록하지 못했습니다',
    'carId': '차량번호', 'carName': '차량 이름', 'carType': '차종', 'amount': '요금', 'carStatus': '상태', 'rsvId': '예약', 'payId': '결제', 'actions': '작업',
    'carName.hint': '예: 메르세데스-벤츠', 'carType.hint': '예: 세단', 'amount.hint': '예: 50000',
    'carName.wrong': '눈에 보이는 글자로 200자까지 입력해 주세요.', 'carType.wrong': '눈에 보이는 글자로 200자까지 입력하거나 비워 두세요.',
    'amount.wrong': '너무 크지 않은 정수를 숫자로 입력해 주세요.', 'required': '필수', 'field.current': '다른 사람이 저장한 값: {value}', 'field.empty': '(비어 있음)',

    'fleet': '차량 목록', 'fleet.empty': '등록된 차량이 없습니다. 첫 차량을 등록해 보세요.', 'fleet.none': '이 상태의 차량이 없습니다.', 'fleet.unknown': '차량 목록을 아직 불러오지 못했습니다.',
    'filter': '상태로 거르기', 'filter.all': '전체', 'sort': '정렬', 'size': '한 페이지에',
    'sort.asc': '{column} 오름차순', 'sort.desc': '{column} 내림차순',
    'pager': '페이지', 'pager.first': '첫 페이지', 'pager.prev': '이전 페이지', 'pager.next': '다음 페이지', 'pager.last': '마지막 페이지',
    'range': '전체 {total}대 중 {from}–{to}', 'range.none': '0대', 'page': '{page} / {pages}',

    'carStatus.available': '예약 가능', 'carStatus.reserved': '예약됨',
    'rsvStatus.reqReserve': '예약 처리 중', 'rsvStatus.reserved': '예약 완료', 'rsvStatus.reqCancel': '취소 처리 중', 'rsvStatus.cancelled': '취소됨', 'rsvStatus.rejected': '거절됨',
    'payStatus.paid': '결제 완료', 'payStatus.cancelled': '결제 취소',

    'reserve': '예약하기', 'cancel': '예약 취소', 'waiting': '처리 중…', 'edit': '수정', 'delete': '삭제', 'action.of': '{action}: {carId}번 {carName}',
    'reserve.sent': '{carId}번 차량의 예약을 접수했습니다.', 'reserve.done': '{carId}번 차량의 예약이 완료되었습니다.', 'reserve.failed': '{carId}번 차량을 예약하지 못했습니다',
    'cancel.ask': '예약을 취소할까요?', 'cancel.text': '{carId}번 {carName}의 예약 {rsvId}번을 취소하고 결제를 되돌립니다.',
    'cancel.sent': '{carId}번 차량의 예약 취소를 접수했습니다.', 'cancel.done': '{carId}번 차량의 예약이 취소되었습니다.', 'cancel.failed': '{carId}번 차량의 예약을 취소하지 못했습니다',
    'delete.ask': '차량을 삭제할까요?', 'delete.text': '{carId}번 {carName}을(를) 목록에서 지웁니다. 되돌릴 수 없습니다.',
    'delete.done': '{carId}번 차량을 삭제했습니다.', 'delete.failed': '{carId}번 차량을 삭제하지 못했습니다',
    'edit.title': '{carId}번 차량 수정', 'edit.submit': '저장하기', 'edit.done': '{carId}번 차량을 수정했습니다.', 'edit.failed': '{carId}번 차량을 수정하지 못했습니다',
    'slow': '처리가 평소보다 오래 걸립니다. 결과는 목록에 나타납니다.',
    'close': '닫기', 'confirm.no': '돌아가기',

    'messages': '최근 메시지', 'messages.empty': '아직 보낸 메시지가 없습니다.', 'message.of': '예약 {rsvId}번',

    'pulse.loading': '불러오는 중', 'pulse.live': '실시간', 'pulse.failing': '갱신 실패 · {seconds}초 뒤 재시도', 'pulse.paused': '일시 정지',
    'retry': '{seconds}초 뒤에 다시 시도해 주세요.',
    'problem.unreachable': '서버에 연결할 수 없습니다', 'problem.timeout': '제시간에 응답이 오지 않았습니다', 'problem.unavailable': '지금은 이용할 수 없습니다', 'problem.overloaded': '요청이 많아 잠시 받을 수 없습니다',
    'problem.deadline-exceeded': '처리 시간이 초과되었습니다', 'problem.component-trapped': '내부 오류가 발생했습니다', 'problem.not-found': '찾을 수 없습니다',
    'problem.car-not-available': '이미 예약된 차량입니다', 'problem.car-booked': '예약이 걸려 있는 차량입니다', 'problem.conflict': '지금 상태에서는 할 수 없습니다',
    'problem.payment-declined': '결제가 거절되었습니다', 'problem.invalid-field': '입력한 값을 확인해 주세요', 'problem.precondition-failed': '그 사이에 다른 사람이 수정했습니다. 값을 비교한 뒤 다시 저장해 주세요',
    'problem.cut-off': '지금은 이용할 수 없습니다', 'problem.corrupt-state': '내부 오류가 발생했습니다', 'problem.not-kept': '지금은 저장할 수 없습니다', 'problem.stopping': '잠시 뒤에 다시 시도해 주세요',
    'problem.reservation-undecided': '예약이 아직 처리되고 있습니다', 'problem.reservation-rejected': '거절된 예약입니다', 'problem.malformed-json': '입력한 값을 확인해 주세요', 'problem.payload-too-large': '입력한 내용이 너무 깁니다',
    'problem.idempotency-in-progress': '같은 예약이 이미 처리되고 있습니다',
  },

  en: {
    'title': 'SOCAR · Fleet and reservations',
    'skip': 'Skip to the list of cars',
    'subtitle': 'Fleet and reservations',
    'theme': 'Colour mode', 'theme.system': 'System mode', 'theme.light': 'Light mode', 'theme.dark': 'Dark mode',

    'figures': 'Summary', 'figures.total': 'All cars', 'figures.available': 'Available', 'figures.reserved': 'Reserved', 'figures.share': 'Share reserved',

    'register': 'Register a car', 'register.submit': 'Register', 'register.done': 'Car {carId} is registered.', 'register.failed': 'The car was not registered',
    'carId': 'No.', 'carName': 'Name', 'carType': 'Type', 'amount': 'Price', 'carStatus': 'Status', 'rsvId': 'Reservation', 'payId': 'Payment', 'actions': 'Actions',
    'carName.hint': 'e.g. Mercedes-Benz', 'carType.hint': 'e.g. sedan', 'amount.hint': 'e.g. 50000',
    'carName.wrong': 'Please type up to 200 visible characters.', 'carType.wrong': 'Please type up to 200 visible characters, or nothing.',
    'amount.wrong': 'Please type a whole number that is not too large.', 'required': 'required', 'field.current': 'Saved by another person: {value}', 'field.empty': '(empty)',

    'fleet': 'Cars', 'fleet.empty': 'There are no cars yet. Register the first one.', 'fleet.none': 'No car has this status.', 'fleet.unknown': 'The list of cars could not be loaded yet.',
    'filter': 'Filter by status', 'filter.all': 'All', 'sort': 'Sort', 'size': 'Per page',
    'sort.asc': '{column}, ascending', 'sort.desc': '{column}, descending',
    'pager': 'Pages', 'pager.first': 'First page', 'pager.prev': 'Previous page', 'pager.next': 'Next page', 'pager.last': 'Last page',
    'range': '{from}–{to} of {total} cars', 'range.none': 'No cars', 'page': '{page} / {pages}',

    'carStatus.available': 'Available', 'carStatus.reserved': 'Reserved',
    'rsvStatus.reqReserve': 'Being reserved', 'rsvStatus.reserved': 'Confirmed', 'rsvStatus.reqCancel': 'Cancelling', 'rsvStatus.cancelled': 'Cancelled', 'rsvStatus.rejected': 'Rejected',
    'payStatus.paid': 'Paid', 'payStatus.cancelled': 'Refunded',

    'reserve': 'Reserve', 'cancel': 'Cancel', 'waiting': 'Processing…', 'edit': 'Edit', 'delete': 'Delete', 'action.of': '{action}: car {carId}, {carName}',
    'reserve.sent': 'The reservation of car {carId} is being processed.', 'reserve.done': 'Car {carId} is reserved.', 'reserve.failed': 'Car {carId} was not reserved',
    'cancel.ask': 'Cancel this reservation?', 'cancel.text': 'Reservation {rsvId} of car {carId}, {carName}, will be cancelled and its payment refunded.',
    'cancel.sent': 'The cancellation for car {carId} is being processed.', 'cancel.done': 'The reservation of car {carId} was cancelled.', 'cancel.failed': 'The reservation of car {carId} was not cancelled',
    'delete.ask': 'Delete this car?', 'delete.text': 'Car {carId}, {carName}, will be removed from the fleet. This cannot be undone.',
    'delete.done': 'Car {carId} was deleted.', 'delete.failed': 'Car {carId} was not deleted',
    'edit.title': 'Edit car {carId}', 'edit.submit': 'Save', 'edit.done': 'Car {carId} was changed.', 'edit.failed': 'Car {carId} was not changed',
    'slow': 'This is taking longer than usual. The list will show the result.',
    'close': 'Close', 'confirm.no': 'Go back',

    'messages': 'Latest messages', 'messages.empty': 'No message has been sent yet.', 'message.of': 'Reservation {rsvId}',

    'pulse.loading': 'Loading', 'pulse.live': 'Live', 'pulse.failing': 'Not refreshed · retry in {seconds} s', 'pulse.paused': 'Paused',
    'retry': 'Please try again in {seconds} s.',
    'problem.unreachable': 'The server cannot be reached', 'problem.timeout': 'The server did not respond in time', 'problem.unavailable': 'Temporarily unavailable', 'problem.overloaded': 'Too many requests at the moment',
    'problem.deadline-exceeded': 'The request took too long', 'problem.component-trapped': 'An internal error occurred', 'problem.not-found': 'Not found',
    'problem.car-not-available': 'The car is already taken', 'problem.car-booked': 'The car has an active booking', 'problem.conflict': 'Not possible in the current state',
    'problem.payment-declined': 'The payment was declined', 'problem.invalid-field': 'Please check your input', 'problem.precondition-failed': 'The car has changed in the meantime. Please compare the values and save again',
    'problem.cut-off': 'Temporarily unavailable', 'problem.corrupt-state': 'An internal error occurred', 'problem.not-kept': 'Nothing can be saved at the moment', 'problem.stopping': 'Please try again in a moment',
    'problem.reservation-undecided': 'The reservation is still being processed', 'problem.reservation-rejected': 'The reservation was rejected', 'problem.malformed-json': 'Please check your input', 'problem.payload-too-large': 'The input is too long',
    'problem.idempotency-in-progress': 'The same reservation is already being processed',
  },
};

let language = 'ko';

export const currentLanguage = () => language;

/** The text for `key` with its {placeholders} replaced; undefined for an unknown key. */
export function word(key, values = {}) {
  return words[language][key]?.replace(/\{(\w+)\}/g, (_, name) => isolated(values[name] ?? ''));
}

/** A text of a customer does not change the direction of the sentence around it (First Strong Isolate). */
const isolated = (value) => (/[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufefc]/.test(value) ? `\u2068${value}\u2069` : String(value));

/** The text for a value of the API, such as a status; the value itself if it is unknown. */
export const wordFor = (kind, value) => word(`${kind}.${value}`) ?? String(value);

/** Sets the language and updates every element that names its text. */
export function setLanguage(wanted) {
  language = wanted in words ? wanted : 'ko';
  document.documentElement.lang = language;
  document.title = word('title');
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = word(element.dataset.text);
  for (const element of document.querySelectorAll('[data-label]')) element.setAttribute('aria-label', word(element.dataset.label));
  for (const element of document.querySelectorAll('[data-hint]')) element.placeholder = word(element.dataset.hint);
}

export const formatNumber = (number) => new Intl.NumberFormat(language).format(number);

export const formatShare = (share) => new Intl.NumberFormat(language, { style: 'percent' }).format(share);

export const formatAmount = (amount) => new Intl.NumberFormat(language, { style: 'currency', currency: 'KRW' }).format(amount);

/** A time of the API in the format of the language; a text that is no time stays as it is. */
export function formatTime(text) {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return String(text);
  const today = time.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(language, { dateStyle: today ? undefined : 'short', timeStyle: 'medium' }).format(time);
}
