// The entry point of the screen: language and theme, the form that registers a car, the list of cars, the messages. Each
// part is one module. Data is written with textContent only; the content security policy of the page blocks every other
// way.

import { Actions } from './actions.js';
import { call } from './api.js';
import { readCar } from './editor.js';
import { Fleet } from './fleet.js';
import { Messages } from './messages.js';
import { clearForm, showFormProblem, statusIndicator, toast } from './notices.js';
import { Poller } from './poller.js';
import { currentLanguage, setLanguage, word } from './words.js';

const element = (id) => document.getElementById(id);

const actions = new Actions(() => {
  fleetPoller.accelerate();
  messagesPoller.accelerate();
  fleet.draw();
});
const fleet = new Fleet(actions, () => fleetPoller.pollNow());
const messages = new Messages();
const showFleetStatus = statusIndicator(element('fleet-pulse'));
const fleetPoller = new Poller((signal) => fleet.load(signal), (state, seconds) => {
  showFleetStatus(state, seconds);
  if (state === 'failing') fleet.showFailure();
});
const messagesPoller = new Poller((signal) => messages.load(signal), statusIndicator(element('messages-pulse')));

function start() {
  prepareLanguage();
  prepareTheme();
  prepareRegister();
  fleetPoller.pollNow();
  messagesPoller.pollNow();
}

function prepareLanguage() {
  const button = element('language');
  const show = (language) => {
    setLanguage(language);
    button.textContent = language === 'ko' ? 'English' : '한국어';
    button.lang = language === 'ko' ? 'en' : 'ko';
    fleet.draw();
    messages.draw();
  };
  button.addEventListener('click', () => {
    show(currentLanguage() === 'ko' ? 'en' : 'ko');
    remember('language', currentLanguage());
  });
  show(recall('language') ?? 'ko');
}

function prepareTheme() {
  const choice = element('theme');
  const show = () => (document.documentElement.dataset.theme = choice.value);
  choice.value = recall('theme') ?? '';
  choice.addEventListener('change', () => {
    show();
    remember('theme', choice.value);
  });
  show();
}

function prepareRegister() {
  const form = element('register');
  const notice = element('register-notice');
  const submit = form.querySelector('[type=submit]');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (submit.ariaDisabled === 'true') return;
    clearForm(form, notice);
    submit.ariaDisabled = 'true';
    try {
      const { body: car } = await call('POST', '/cars', { body: readCar(form) });
      form.reset();
      form.elements.namedItem('carName').focus();
      toast(word('register.done', car));
      fleet.highlight(car.carId);
      fleetPoller.accelerate();
    } catch (problem) {
      showFormProblem(form, notice, word('register.failed'), problem);
    } finally {
      submit.ariaDisabled = 'false';
    }
  });
}

/** The browser may forbid storage; the preferences are then lost with the page. */
function remember(name, value) {
  try {
    localStorage.setItem(`socar.${name}`, value);
  } catch {
    // The preference applies to this page only.
  }
}

function recall(name) {
  try {
    return localStorage.getItem(`socar.${name}`);
  } catch {
    return null;
  }
}

start();
