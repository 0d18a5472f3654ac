// Connects the parts: configuration, phone, state, view, sound.

import { Sound } from "./audio.js";
import { loadConfig, signallingUrl } from "./config.js";
import { chooseLanguage, translator } from "./i18n.js";
import { ECHO_TEST, dialable } from "./numbers.js";
import { forget, remember, remembered } from "./session.js";
import { Phone } from "./sip.js";
import { createStore } from "./state.js";
import { watch } from "./stats.js";
import { View } from "./ui.js";

const language = chooseLanguage(navigator.languages ?? [navigator.language]);
document.documentElement.lang = language;

const config = await loadConfig();
const host = location.hostname;
const url = signallingUrl(config, host);
const sound = new Sound();
let stopWatching = () => {};

const view = new View({
  t: translator(language),
  actions: { login, logout, dismiss, call, echoTest, answer, decline, hangup, mute, hold, key },
});
const store = createStore((state, before) => {
  view.render(state, before);
  sound.ring(toneFor(state.call));
});
const phone = new Phone({
  url,
  domain: host,
  iceServers: config.iceServers,
  tell: store.dispatch,
  media,
});

function toneFor(call) {
  if (call?.phase === "incoming") return "ring";
  return call?.phase === "ringing" && !call.early ? "ringback" : null;
}

function media(connection, local, remote) {
  stopWatching();
  stopWatching = () => {};
  view.attach(local ?? null, remote ?? null);
  if (!connection) return;
  const stops = [
    watch(connection, (stats) => store.dispatch({ type: "stats", stats })),
    sound.meter(local, (value) => view.setLevel("local", value)),
    sound.meter(remote, (value) => view.setLevel("remote", value)),
  ];
  stopWatching = () => stops.forEach((stop) => stop());
}

function login({ extension, secret, remember: keep }) {
  const key = !/^[0-9]{2,8}$/.test(extension) ? "badExtension" : secret ? null : "noSecret";
  if (key) {
    store.dispatch({ type: "failed", key });
    return;
  }
  sound.unlock();
  if (keep) remember(sessionStorage, { extension, secret });
  else forget(sessionStorage);
  phone.login(extension, secret);
}

function logout() {
  forget(sessionStorage);
  phone.logout();
  store.dispatch({ type: "logout" });
}

function dismiss() {
  store.dispatch({ type: "dismiss" });
}

function call(text, video) {
  sound.unlock();
  const number = dialable(text);
  if (number) void phone.call(number, { video });
  else store.dispatch({ type: "failed", key: "badNumber" });
}

function echoTest() {
  call(ECHO_TEST, false);
}

function answer(video) {
  sound.unlock();
  void phone.answer({ video });
}

function decline() {
  phone.decline();
}

function hangup() {
  phone.hangup();
}

function mute(muted) {
  phone.mute(muted);
}

function hold(held) {
  phone.hold(held);
}

function key(digit) {
  sound.unlock();
  sound.key(digit);
  if (store.state.call === null) view.number += digit;
  else if (phone.tone(digit)) store.dispatch({ type: "callTone", key: digit });
}

window.addEventListener("offline", () => store.dispatch({ type: "offline" }));
window.addEventListener("online", () => {
  store.dispatch({ type: "online" });
  phone.refresh();
});
window.addEventListener("pagehide", () => phone.logout());

view.describe({ host, url, evaluation: config.evaluation });
view.render(store.state);
// Browsers allow sound only after a gesture; a page that logs in by itself has had none yet.
for (const gesture of ["pointerdown", "keydown"])
  window.addEventListener(gesture, () => sound.unlock(), { once: true });
const known = remembered(sessionStorage);
if (known) {
  sound.unlock();
  phone.login(known.extension, known.secret);
}
