// The page's state as one value and one pure reducer; the view renders only this state.

export const INITIAL = Object.freeze({
  view: "login", // login | phone
  extension: "",
  busy: false, // a login is in progress
  transport: "idle", // idle | connecting | connected | lost
  registration: "none", // none | registering | registered | failed
  offline: false, // the browser itself has no network
  call: null,
  message: null, // {level: info | error, key, detail}
  stats: null,
  history: [],
});

const HISTORY_ROWS = 5;

const message = (level, key, detail = "") => ({ level, key, detail });

const inCall = (state, change) =>
  state.call ? { ...state, call: { ...state.call, ...change } } : state;

const HANDLERS = {
  login: (state, { extension }) => ({
    ...state,
    extension,
    busy: true,
    registration: "registering",
    transport: "connecting",
    message: null,
  }),
  loginFailed: (state, { key, detail }) => ({
    ...INITIAL,
    offline: state.offline,
    extension: state.extension,
    registration: "failed",
    message: message("error", key, detail),
  }),
  logout: (state) => ({ ...INITIAL, offline: state.offline }),

  transportConnecting: (state) => ({
    ...state,
    transport: state.transport === "lost" ? "lost" : "connecting",
  }),
  transportConnected: (state) => ({ ...state, transport: "connected" }),
  transportLost: (state) => ({
    ...state,
    transport: "lost",
    registration: "registering",
    message: message("error", "networkLost"),
  }),
  registered: (state) => ({
    ...state,
    view: "phone",
    busy: false,
    transport: "connected",
    registration: "registered",
    message:
      state.message?.key === "networkLost" || state.message?.key === "offline"
        ? message("info", "reconnected")
        : state.message,
  }),
  registrationFailed: (state, { key, detail }) => ({
    ...state,
    registration: "failed",
    message: message("error", key, detail),
  }),
  offline: (state) => ({ ...state, offline: true, message: message("error", "offline") }),
  online: (state) => ({
    ...state,
    offline: false,
    message: state.message?.key === "offline" ? null : state.message,
  }),

  callStarted: (state, { direction, peer, name = "", video = false }) => ({
    ...state,
    message: null,
    stats: null,
    call: {
      direction, // in | out
      peer,
      name,
      video,
      phase: direction === "in" ? "incoming" : "dialling",
      muted: false,
      held: false,
      heldByPeer: false,
      tones: "",
      startedAt: null,
      ice: "new",
    },
  }),
  callRinging: (state, { early = false }) => inCall(state, { phase: "ringing", early }),
  callAnswering: (state, { video }) => inCall(state, { phase: "connecting", video }),
  callConfirmed: (state, { at }) => inCall(state, { phase: "active", startedAt: at }),
  callMuted: (state, { muted }) => inCall(state, { muted }),
  callHeld: (state, { held }) => inCall(state, { held }),
  callTone: (state, { key }) => inCall(state, { tones: `${state.call.tones}${key}`.slice(-24) }),
  callHeldByPeer: (state, { held }) => inCall(state, { heldByPeer: held }),
  callIce: (state, { ice }) => inCall(state, { ice }),
  callEnded: (state, { key, detail, at }) => ({
    ...state,
    message: key ? message(key === "missed" ? "info" : "error", key, detail) : null,
    history: state.call
      ? [
          {
            at,
            peer: state.call.peer,
            direction: state.call.direction,
            seconds: state.call.startedAt ? Math.round((at - state.call.startedAt) / 1000) : 0,
            outcome: key ?? (state.call.startedAt ? "done" : "cancelled"),
          },
          ...state.history,
        ].slice(0, HISTORY_ROWS)
      : state.history,
    call: null,
  }),
  stats: (state, { stats }) => ({ ...state, stats }),
  failed: (state, { key, detail }) => ({ ...state, message: message("error", key, detail) }),
  dismiss: (state) => ({ ...state, message: null }),
};

/** The state after `event`; an unknown event is a bug. */
export function reduce(state, event) {
  const handler = HANDLERS[event.type];
  if (!handler) throw new Error(`no such event: ${event.type}`);
  return handler(state, event);
}

/** A store: `dispatch` an event, `subscribe` to every new state. */
export function createStore(listener, initial = INITIAL) {
  let state = initial;
  return {
    get state() {
      return state;
    },
    dispatch(event) {
      const before = state;
      state = reduce(state, event);
      listener(state, before);
    },
  };
}
