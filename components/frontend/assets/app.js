// Puts the screen together: the reader's language and colours, the form that registers a car, the list of cars, the
// messages. Each part is one module; data is only ever written with textContent, and the page's content security
// policy makes the browser refuse anything else.

import { Actions } from './actions.js';
import { call } from './api.js';
import { readCar } from './editor.js';
import { Fleet } from './fleet.js';
import { Messages } from './messages.js';
import { clearForm, pulse, showFormProblem, toast } from './notices.js';
import { Poller } from './poller.js';
import { currentLanguage, speak, word } from './words.js';

const element = (id) => document.getElementById(id);

const actions = new Actions(() => {
  fleetPoller.hurry();
  messagesPoller.hurry();
  fleet.draw();
});
const fleet = new Fleet(actions, () => fleetPoller.now());
const messages = new Messages();
const showFleetPulse = pulse(element('fleet-pulse'));
const fleetPoller = new Poller((signal) => fleet.load(signal), (state, seconds) => {
  showFleetPulse(state, seconds);
  if (state === 'failing') fleet.lost();
});
const messagesPoller = new Poller((signal) => messages.load(signal), pulse(element('messages-pulse')));

function start() {
  prepareLanguage();
  prepareTheme();
  prepareRegister();
  fleetPoller.now();
  messagesPoller.now();
}

function prepareLanguage() {
  const button = element('language');
  const show = (language) => {
    speak(language);
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
      fleet.expect(car.carId);
      fleetPoller.hurry();
    } catch (problem) {
      showFormProblem(form, notice, word('register.failed'), problem);
    } finally {
      submit.ariaDisabled = 'false';
    }
  });
}

/** Storage may be forbidden; the screen then starts afresh each time. */
function remember(name, value) {
  try {
    localStorage.setItem(`socar.${name}`, value);
  } catch {
    // Nothing depends on it.
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
