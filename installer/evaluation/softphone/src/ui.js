// Renders a state of state.js into index.html and turns user input into actions; no SIP here.

import { duration } from "./numbers.js";
import { judge } from "./stats.js";

const KEYS = [
  ["1", "", "1"],
  ["2", "ABC", "2"],
  ["3", "DEF", "3"],
  ["4", "GHI", "4"],
  ["5", "JKL", "5"],
  ["6", "MNO", "6"],
  ["7", "PQRS", "7"],
  ["8", "TUV", "8"],
  ["9", "WXYZ", "9"],
  ["*", "", "star"],
  ["0", "+", "0"],
  ["#", "", "hash"],
];

const element = (id) => document.getElementById(id);
const show = (id, visible) => {
  element(id).hidden = !visible;
};
const write = (id, text) => {
  const node = element(id);
  if (node.textContent !== text) node.textContent = text;
};
const figure = (id, text, quality) => {
  write(id, text ?? "–");
  if (quality) element(id).dataset.quality = quality;
};
const milliseconds = (value) => (value === null ? null : `${value.toFixed(value < 10 ? 1 : 0)} ms`);
const count = (value) => (value === null ? null : String(value));

/** The key of the phase_… text for the call's phase. */
function phaseOf(call) {
  if (call.phase === "incoming" && call.video) return "incomingVideo";
  if (call.phase !== "active") return call.phase;
  if (call.held) return "held";
  return call.heldByPeer ? "heldByPeer" : "active";
}

export class View {
  /** `actions` are the functions named in `#listen`; `t` maps a key to its text. */
  constructor({ t, actions }) {
    this.t = t;
    this.actions = actions;
    this.startedAt = null;
    this.#fillTexts();
    this.#buildPad();
    this.#listen();
    setInterval(() => this.#tick(), 500);
  }

  /** Renders what does not change while the page is open. */
  describe({ host, url, evaluation }) {
    write("login-host", host);
    write("stat-url", url);
    show("evaluation-badge", evaluation);
    show("evaluation-note", evaluation);
  }

  render(state, before) {
    document.body.dataset.view = state.view;
    show("login-view", state.view === "login");
    show("phone-view", state.view === "phone");
    show("logout", state.view === "phone");
    this.#renderRegistration(state);
    this.#renderMessage(state.message);
    this.#renderLogin(state);
    this.#renderCall(state);
    this.#renderStats(state);
    if (state.history !== before?.history) this.#renderHistory(state.history);
    if (state.view !== before?.view) {
      element(state.view === "phone" ? "number" : "extension").focus();
    }
  }

  /** `side` is local or remote; `value` 0 to 1. */
  setLevel(side, value) {
    const meter = element(`meter-${side}`);
    meter.style.setProperty("--level", value.toFixed(3));
    meter.dataset.level = value.toFixed(2);
  }

  /** The streams of the call; null if there are none. */
  attach(local, remote) {
    element("remote-audio").srcObject = remote;
    element("remote-video").srcObject = remote;
    element("local-video").srcObject = local;
  }

  get number() {
    return element("number").value;
  }

  set number(text) {
    element("number").value = text;
  }

  #fillTexts() {
    for (const node of document.querySelectorAll("[data-t]")) {
      node.textContent = this.t(node.dataset.t);
    }
    for (const node of document.querySelectorAll("[data-t-label]")) {
      node.setAttribute("aria-label", this.t(node.dataset.tLabel));
    }
    for (const node of document.querySelectorAll("[data-t-placeholder]")) {
      node.placeholder = this.t(node.dataset.tPlaceholder);
    }
  }

  #buildPad() {
    const buttons = KEYS.map(([key, letters, name]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.testid = `key-${name}`;
      button.setAttribute("aria-label", key);
      button.append(key);
      const small = document.createElement("small");
      small.textContent = letters;
      button.append(small);
      button.addEventListener("click", () => this.actions.key(key));
      return button;
    });
    element("pad").replaceChildren(...buttons);
  }

  #listen() {
    const click = (id, action) => element(id).addEventListener("click", action);
    element("login-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.actions.login({
        extension: element("extension").value.trim(),
        secret: element("secret").value,
        remember: element("remember").checked,
      });
    });
    click("reveal", () => {
      const hidden = element("secret").type === "password";
      element("secret").type = hidden ? "text" : "password";
      element("reveal").setAttribute("aria-pressed", String(hidden));
      write("reveal", this.t(hidden ? "hideSecret" : "showSecret"));
    });
    click("logout", () => this.actions.logout());
    click("dismiss", () => this.actions.dismiss());
    click("erase", () => {
      this.number = this.number.slice(0, -1);
      element("number").focus();
    });
    click("dial", () => this.actions.call(this.number, false));
    click("dial-video", () => this.actions.call(this.number, true));
    click("echo", () => this.actions.echoTest());
    click("answer", () => this.actions.answer(false));
    click("answer-video", () => this.actions.answer(true));
    click("decline", () => this.actions.decline());
    click("hangup", () => this.actions.hangup());
    click("mute", () => this.actions.mute(element("mute").ariaPressed !== "true"));
    click("hold", () => this.actions.hold(element("hold").ariaPressed !== "true"));
    element("number").addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.actions.call(this.number, false);
    });
    document.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** The keyboard works as a dial pad too, except in input fields. */
  #onKey(event) {
    const writing = event.target instanceof HTMLInputElement;
    if (document.body.dataset.view !== "phone" || writing) return;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (/^[0-9*#]$/.test(event.key)) this.actions.key(event.key);
  }

  #renderRegistration({ registration, extension, view, transport, offline }) {
    const pill = element("registration");
    pill.dataset.state = registration;
    pill.dataset.offline = String(offline);
    write("registration-text", this.t(`reg_${registration}`));
    write("own-extension", view === "phone" ? extension : "");
    write("stat-transport", this.t(`transport_${transport}`));
    write("stat-registration", this.t(`reg_${registration}`));
  }

  #renderMessage(message) {
    show("message", message !== null);
    const box = element("message");
    box.dataset.level = message?.level ?? "info";
    box.dataset.key = message?.key ?? "";
    const text = message ? this.t(`err_${message.key}`) : "";
    const node = element("message-text");
    const detail = message?.detail ?? "";
    if (node.dataset.shown === `${text}${detail}`) return; // don't make screen readers say it twice
    node.dataset.shown = `${text}${detail}`;
    node.replaceChildren(text);
    if (detail) {
      const small = document.createElement("small");
      small.textContent = detail;
      node.append(small);
    }
  }

  #renderLogin({ busy }) {
    element("login-submit").disabled = busy;
    write("login-submit", this.t(busy ? "signingIn" : "signIn"));
    element("login-form").setAttribute("aria-busy", String(busy));
  }

  #renderCall({ call, registration }) {
    const incoming = call?.phase === "incoming";
    show("idle", call === null);
    show("idle-actions", call === null);
    show("call", call !== null);
    show("incoming-actions", incoming);
    show("answer-video", incoming && call.video);
    show("pad", !incoming);
    show("call-actions", call !== null && !incoming);
    for (const id of ["dial", "dial-video", "echo"]) {
      element(id).disabled = registration !== "registered";
    }
    element("call").dataset.state = call?.phase ?? "none";
    this.startedAt = call?.startedAt ?? null;
    this.#tick();
    if (!call) return;
    write("call-phase", this.t(`phase_${phaseOf(call)}`));
    write("call-peer", call.name ? `${call.name} (${call.peer})` : call.peer);
    write("call-tones", call.tones);
    element("mute").ariaPressed = String(call.muted);
    element("hold").ariaPressed = String(call.held);
    write("mute-text", this.t(call.muted ? "unmute" : "mute"));
    write("hold-text", this.t(call.held ? "resume" : "hold"));
    for (const id of ["mute", "hold"]) element(id).disabled = call.phase !== "active";
    show("video", call.video && call.phase === "active");
  }

  #renderStats({ call, stats }) {
    const live = call !== null && call.phase !== "incoming";
    show("quality", live);
    show("quality-idle", !live);
    if (!call) show("video", false);
    figure("stat-ice", call ? this.t(`ice_${call.ice}`) : null);
    element("stat-ice").dataset.state = call?.ice ?? "";
    const quality = stats ? judge(stats) : {};
    const codecs = [stats?.codec, stats?.videoCodec].filter(Boolean).join(" + ");
    figure("stat-codec", codecs || null);
    figure("stat-sent", count(stats?.sent ?? null));
    figure("stat-received", count(stats?.received ?? null));
    figure("stat-lost", count(stats?.lost ?? null), quality.lost);
    figure("stat-rtt", milliseconds(stats?.rtt ?? null), quality.rtt);
    figure("stat-jitter", milliseconds(stats?.jitter ?? null), quality.jitter);
    figure("stat-candidate", stats?.pair ? `${stats.pair} (${stats.protocol})` : null);
    const secured = stats?.dtls === "connected" ? `DTLS-SRTP ${stats.cipher ?? ""}`.trim() : null;
    figure("stat-encryption", secured ?? stats?.dtls);
  }

  #renderHistory(history) {
    show("no-calls", history.length === 0);
    element("history").replaceChildren(...history.map((row) => this.#historyRow(row)));
  }

  #historyRow({ peer, direction, seconds, outcome, at }) {
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = peer;
    again.setAttribute("aria-label", `${this.t("call")} ${peer}`);
    again.addEventListener("click", () => this.actions.call(peer, false));
    const how = document.createElement("span");
    const known = ["done", "cancelled", "missed"].includes(outcome) ? outcome : "failed";
    const key = known === "missed" && direction === "out" ? "failed" : known;
    how.textContent = this.t(`${direction}_${key}`) + (seconds ? ` · ${duration(seconds)}` : "");
    const when = document.createElement("span");
    when.textContent = new Date(at).toLocaleTimeString(document.documentElement.lang, {
      hour: "2-digit",
      minute: "2-digit",
    });
    const row = document.createElement("li");
    row.append(again, how, when);
    return row;
  }

  #tick() {
    const seconds = this.startedAt === null ? null : (Date.now() - this.startedAt) / 1000;
    write("call-timer", seconds === null ? "" : duration(seconds));
  }
}
