// The phone: one registration and at most one call, reported to the page as events of state.js.

import JsSIP from "jssip";
import { callError, loginError, mediaError, registrationError } from "./errors.js";

const RECOVERY_SECONDS = { connection_recovery_min_interval: 1, connection_recovery_max_interval: 8 };
const REGISTER_SECONDS = 300;
const REGISTER_RETRY_MS = 5000;
const ANSWER_MS = 4000; // Asterisk ignores requests while it starts, and JsSIP waits 32 s
const LOGIN_MS = 10_000; // browsers wait minutes for a silent server, and JsSIP forever
const GATHERING_MS = 1500; // an unreachable STUN server must not delay a call for longer

const offersVideo = (request) => /^m=video [1-9]/m.test(request?.body ?? "");

/** The microphone (and camera), or an exception for `mediaError`. */
async function openMedia(video) {
  if (!navigator.mediaDevices) {
    throw Object.assign(new Error("getUserMedia needs HTTPS"), { name: "InsecureContext" });
  }
  return navigator.mediaDevices.getUserMedia({ audio: true, video });
}

export class Phone {
  #ua = null;
  #credentials = null;
  #registeredOnce = false;
  #connectedOnce = false;
  #loginLimit = null; // until registered or rejected
  #retry = null;
  #answerLimit = null; // of the first REGISTER on a new connection
  #call = null; // {session, local}: from the first click to the end of the call

  /**
   * `tell(event)` receives events of state.js; `media(connection, local, remote)` is called when
   * a call has its streams, and `media(null)` when it no longer has any.
   */
  constructor({ url, domain, iceServers, tell, media }) {
    this.url = url;
    this.domain = domain;
    this.pcConfig = { iceServers };
    this.tell = tell;
    this.media = media;
  }

  login(extension, secret) {
    this.logout();
    this.#credentials = { extension, secret };
    this.#registeredOnce = false;
    this.#connectedOnce = false;
    this.tell({ type: "login", extension });
    this.#loginLimit = setTimeout(() => this.#giveUp(false), LOGIN_MS);
    this.#start();
  }

  logout() {
    this.#stop();
    this.#credentials = null;
  }

  /** The browser is back online: don't wait for the recovery timer. */
  refresh() {
    if (this.#ua?.isConnected()) this.#ua.register();
  }

  async call(number, { video = false } = {}) {
    if (this.#call || !this.#ua) return;
    const call = (this.#call = { session: null, local: null });
    this.tell({ type: "callStarted", direction: "out", peer: number, video });
    if (!(await this.#open(call, video))) return;
    const session = this.#ua.call(`sip:${encodeURIComponent(number)}@${this.domain}`, {
      mediaStream: call.local,
      pcConfig: this.pcConfig,
      eventHandlers: {
        peerconnection: ({ peerconnection }) => this.#onConnection(call, peerconnection),
        failed: (end) => this.#onEnd(call, end),
      },
    });
    if (this.#call !== call) return; // it failed at once
    call.session = session;
    this.#follow(call);
  }

  async answer({ video = false } = {}) {
    const call = this.#call;
    if (!call?.session) return;
    this.tell({ type: "callAnswering", video });
    if (!(await this.#open(call, video))) {
      if (!call.session.isEnded()) call.session.terminate({ status_code: 480 });
      return;
    }
    call.session.on("peerconnection", ({ peerconnection }) =>
      this.#onConnection(call, peerconnection),
    );
    call.session.answer({ mediaStream: call.local, pcConfig: this.pcConfig });
  }

  decline() {
    this.#call?.session?.terminate({ status_code: 486 });
  }

  hangup() {
    const call = this.#call;
    if (!call) return;
    if (call.session && !call.session.isEnded()) call.session.terminate();
    else this.#finish(call, null);
  }

  mute(muted) {
    const session = this.#call?.session;
    if (muted) session?.mute({ audio: true });
    else session?.unmute({ audio: true });
  }

  hold(held) {
    const session = this.#call?.session;
    if (held) session?.hold();
    else session?.unhold();
  }

  /** Sends a key of the dial pad (RFC 4733); returns whether there was a call. */
  tone(key) {
    const session = this.#call?.session;
    if (!session?.isEstablished()) return false;
    session.sendDTMF(key, { transportType: JsSIP.C.DTMF_TRANSPORT.RFC2833 });
    return true;
  }

  #start() {
    const { extension, secret } = this.#credentials;
    const ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(this.url)],
      uri: `sip:${extension}@${this.domain}`,
      password: secret,
      register_expires: REGISTER_SECONDS,
      session_timers: false,
      user_agent: "uContact evaluation softphone",
      ...RECOVERY_SECONDS,
    });
    this.#ua = ua;
    // Ignore the events that a stopped UA still emits.
    const on = (name, handler) =>
      ua.on(name, (data) => {
        if (this.#ua === ua) handler(data ?? {});
      });
    on("connecting", () => this.tell({ type: "transportConnecting" }));
    on("connected", () => {
      this.#connectedOnce = true;
      this.tell({ type: "transportConnected" });
      if (this.#registeredOnce) this.#limitAnswer();
    });
    on("disconnected", () => this.#onDisconnected());
    on("registered", () => {
      clearTimeout(this.#loginLimit);
      clearTimeout(this.#answerLimit);
      this.#registeredOnce = true;
      this.tell({ type: "registered" });
    });
    on("registrationFailed", (data) => this.#onRegistrationFailed(data));
    on("newRTCSession", ({ session, originator, request }) => {
      if (originator === "remote") this.#onIncoming(session, request);
    });
    ua.start();
  }

  /** Connect again if the REGISTER on this connection is not answered, unless in a call. */
  #limitAnswer() {
    clearTimeout(this.#answerLimit);
    this.#answerLimit = setTimeout(() => {
      if (this.#call) return;
      this.#stop();
      this.#start();
    }, ANSWER_MS);
  }

  #stop() {
    clearTimeout(this.#retry);
    clearTimeout(this.#answerLimit);
    clearTimeout(this.#loginLimit);
    const ua = this.#ua;
    const call = this.#call;
    if (call) {
      if (call.session && !call.session.isEnded()) call.session.terminate();
      this.#finish(call, null);
    }
    this.#ua = null;
    ua?.stop();
  }

  #onDisconnected() {
    clearTimeout(this.#answerLimit);
    if (this.#registeredOnce) {
      this.tell({ type: "transportLost" });
      return;
    }
    this.#giveUp(true);
  }

  /** End a login without a response; `closed` if the connection ended before the timeout. */
  #giveUp(closed) {
    const connected = this.#connectedOnce;
    this.#stop();
    const key = loginError({ connected, closed, online: navigator.onLine });
    this.tell({ type: "loginFailed", key, detail: this.url });
  }

  #onRegistrationFailed({ response, cause }) {
    clearTimeout(this.#answerLimit);
    const status = response?.status_code;
    const key = registrationError(status, cause);
    const detail = status ? `SIP ${status}` : "";
    if (!this.#registeredOnce) {
      if (!status) {
        this.#giveUp(cause === "Connection Error");
        return;
      }
      this.#stop();
      this.tell({ type: "loginFailed", key, detail });
      return;
    }
    if (key === "networkLost") return; // already reported by `disconnected`
    this.tell({ type: "registrationFailed", key, detail });
    if (key === "wrongSecret" || key === "unknownExtension") return; // trying again can't help
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      // A server that never answers usually means a dead connection: reconnect, unless in a call.
      if (key === "serverSilent" && !this.#call) {
        this.#stop();
        this.#start();
      } else {
        this.refresh();
      }
    }, REGISTER_RETRY_MS);
  }

  #onIncoming(session, request) {
    if (this.#call) {
      session.terminate({ status_code: 486 });
      return;
    }
    const call = (this.#call = { session, local: null });
    session.on("failed", (end) => this.#onEnd(call, end));
    this.#follow(call);
    const from = session.remote_identity;
    this.tell({
      type: "callStarted",
      direction: "in",
      peer: from.uri.user ?? "",
      name: from.display_name && from.display_name !== from.uri.user ? from.display_name : "",
      video: offersVideo(request),
    });
  }

  #follow(call) {
    const { session } = call;
    const on = (name, handler) =>
      session.on(name, (data) => {
        if (this.#call === call) handler(data ?? {});
      });
    on("progress", ({ originator, response }) => {
      // With a body the other side plays its own tone or announcement (RFC 3960).
      if (originator === "remote") this.tell({ type: "callRinging", early: !!response?.body });
    });
    on("confirmed", () => this.tell({ type: "callConfirmed", at: Date.now() }));
    on("muted", () => this.tell({ type: "callMuted", muted: true }));
    on("unmuted", () => this.tell({ type: "callMuted", muted: false }));
    on("hold", ({ originator }) => this.#onHold(originator, true));
    on("unhold", ({ originator }) => this.#onHold(originator, false));
    on("ended", (end) => this.#onEnd(call, end));
    let gathering = null;
    on("icecandidate", ({ ready }) => {
      gathering ??= setTimeout(ready, GATHERING_MS);
    });
  }

  #onHold(originator, held) {
    const type = originator === "local" ? "callHeld" : "callHeldByPeer";
    this.tell({ type, held });
  }

  #onConnection(call, connection) {
    const remote = new MediaStream();
    connection.addEventListener("track", ({ track }) => {
      remote.addTrack(track);
      if (this.#call === call) this.media(connection, call.local, remote);
    });
    connection.addEventListener("iceconnectionstatechange", () => {
      if (this.#call === call) this.tell({ type: "callIce", ice: connection.iceConnectionState });
    });
  }

  async #open(call, video) {
    let local;
    try {
      local = await openMedia(video);
    } catch (error) {
      if (this.#call === call) this.#finish(call, mediaError(error), error.name);
      return false;
    }
    if (this.#call !== call) {
      // Hung up while the browser was asking for permission.
      for (const track of local.getTracks()) track.stop();
      return false;
    }
    call.local = local;
    return true;
  }

  #onEnd(call, { originator, cause, message }) {
    const status = message?.status_code;
    const declinedHere = originator === "local" && cause === "Rejected";
    const key = declinedHere ? null : callError({ status, cause, originator });
    this.#finish(call, key, status ? `SIP ${status}` : "");
  }

  #finish(call, key, detail = "") {
    if (this.#call !== call) return;
    this.#call = null;
    for (const track of call.local?.getTracks() ?? []) track.stop();
    this.media(null);
    this.tell({ type: "callEnded", key, detail, at: Date.now() });
  }
}
