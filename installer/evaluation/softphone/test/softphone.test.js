import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { keyTone, level } from "../src/audio.js";
import { DEFAULTS, loadConfig, mergeConfig, signallingUrl } from "../src/config.js";
import { callError, loginError, mediaError, registrationError } from "../src/errors.js";
import { LANGUAGES, chooseLanguage, translator } from "../src/i18n.js";
import { dialable, duration } from "../src/numbers.js";
import { forget, remember, remembered } from "../src/session.js";
import { INITIAL, reduce } from "../src/state.js";
import { judge, lossRatio, summarise } from "../src/stats.js";

const source = (name) => readFileSync(new URL(`../src/${name}`, import.meta.url), "utf8");
const after = (...events) => events.reduce(reduce, INITIAL);

test("a missing, broken or hostile configuration falls back to the defaults", async () => {
  const missing = await loadConfig(() => Promise.reject(new Error("404")));
  assert.deepEqual(missing, { ...DEFAULTS });
  const odd = mergeConfig({ wssPort: "x", wssPath: 7, iceServers: "stun:", evaluation: 1 });
  assert.deepEqual(odd, { ...DEFAULTS });
});

test("the configuration's values win, and signalling goes to the page's host (R02)", () => {
  const config = mergeConfig({ wssPort: 9089, wssPath: "/sip", iceServers: [{ urls: "stun:a" }] });
  assert.deepEqual(config.iceServers, [{ urls: "stun:a" }]);
  assert.equal(signallingUrl(config, "10.0.0.5"), "wss://10.0.0.5:9089/sip");
});

test("numbers are cleaned, and anything else is refused", () => {
  assert.equal(dialable(" +598 (2) 123-4567 "), "+59821234567");
  assert.equal(dialable("*43"), "*43");
  for (const wrong of ["", "  ", "abc", "6001@elsewhere", "sip:6001", "60+01"]) {
    assert.equal(dialable(wrong), null, wrong);
  }
});

test("durations", () => {
  assert.deepEqual([0, 59.9, 61, 3661].map(duration), ["0:00", "0:59", "1:01", "1:01:01"]);
});

const LOGINS = [
  [{ connected: false, closed: false, online: true }, "loginTimeout"],
  [{ connected: false, closed: true, online: true }, "cannotConnect"],
  [{ connected: true, closed: false, online: true }, "loginSilent"],
  [{ connected: true, closed: true, online: true }, "loginCut"],
  [{ connected: false, closed: true, online: false }, "offlineLogin"],
];

test("a login without an answer tells a silent server from one that refuses", () => {
  for (const [seen, key] of LOGINS) assert.equal(loginError(seen), key);
});

test("every error has a text in every language, and the languages have the same keys", () => {
  const keys = Object.keys(LANGUAGES.en).sort();
  for (const texts of Object.values(LANGUAGES)) assert.deepEqual(Object.keys(texts).sort(), keys);
  const told = [
    ...[401, 403, 404, 407, 408, 415, 480, 484, 486, 488, 500, 503, 600, 603, 606, 699].map(
      (status) => callError({ status, cause: "Rejected", originator: "remote" }),
    ),
    ...["Connection Error", "RTP Timeout", "never heard of"].map((cause) => callError({ cause })),
    ...["NotAllowedError", "NotFoundError", "NotReadableError", "InsecureContext", "?"].map(
      (name) => mediaError({ name }),
    ),
    ...[401, 404, 503, undefined].map((status) => registrationError(status, "Rejected")),
    registrationError(undefined, "Connection Error"),
    ...LOGINS.map(([seen]) => loginError(seen)),
  ];
  for (const key of told) assert.ok(`err_${key}` in LANGUAGES.en, `err_${key}`);
});

test("every text that the page asks for exists", () => {
  const asked = [...source("index.html").matchAll(/data-t(?:-\w+)?="(\w+)"/g)].map((hit) => hit[1]);
  assert.ok(asked.length > 30);
  const t = translator("es");
  for (const key of asked) assert.ok(t(key));
  assert.throws(() => t("nonsense"), /no text for nonsense/);
});

test("the page has nothing that a strict Content-Security-Policy refuses", () => {
  const html = source("index.html");
  assert.doesNotMatch(html, /\sstyle=|\son\w+=|<style|https?:|<script(?![^>]*src=)/);
  assert.doesNotMatch(source("app.css"), /@import|url\(/);
});

test("the browser's language decides, English otherwise", () => {
  assert.equal(chooseLanguage(["fr-FR", "es-UY", "en"]), "es");
  assert.equal(chooseLanguage(["fr"]), "en");
});

test("hanging up or cancelling is no error; being called off is a missed call", () => {
  assert.equal(callError({ cause: "Terminated", originator: "remote" }), null);
  assert.equal(callError({ cause: "Canceled", originator: "local" }), null);
  assert.equal(callError({ cause: "Canceled", originator: "remote" }), "missed");
  assert.equal(callError({ cause: "Busy", status: 486, originator: "remote" }), "busy");
});

test("a login that fails says why and gives the form back", () => {
  const state = after(
    { type: "login", extension: "6001" },
    { type: "loginFailed", key: "wrongSecret", detail: "SIP 401" },
  );
  assert.equal(state.view, "login");
  assert.equal(state.busy, false);
  assert.deepEqual(state.message, { level: "error", key: "wrongSecret", detail: "SIP 401" });
});

test("a lost connection keeps the call and is told when it is back", () => {
  const talking = after(
    { type: "login", extension: "6001" },
    { type: "registered" },
    { type: "callStarted", direction: "out", peer: "*43" },
    { type: "callConfirmed", at: 1000 },
  );
  const lost = reduce(talking, { type: "transportLost" });
  assert.equal(lost.call.phase, "active");
  assert.equal(lost.message.key, "networkLost");
  const retrying = reduce(lost, { type: "transportConnecting" });
  assert.equal(retrying.transport, "lost");
  const back = reduce(retrying, { type: "registered" });
  assert.deepEqual([back.registration, back.message.key], ["registered", "reconnected"]);
});

test("an ended call goes to the history with its length, five at the most", () => {
  const call = [
    { type: "callStarted", direction: "in", peer: "6002" },
    { type: "callConfirmed", at: 1000 },
    { type: "callEnded", key: null, at: 63_000 },
  ];
  const state = after(...Array(7).fill(call).flat());
  assert.equal(state.call, null);
  assert.equal(state.history.length, 5);
  assert.equal(state.history[0].seconds, 62);
  assert.equal(state.history[0].outcome, "done");
});

test("signing out leaves nothing behind", () => {
  const state = after({ type: "login", extension: "6001" }, { type: "registered" }, { type: "logout" });
  assert.deepEqual(state, INITIAL);
});

test("an unknown event is refused", () => {
  assert.throws(() => reduce(INITIAL, { type: "nonsense" }), /no such event/);
});

const REPORTS = [
  { type: "codec", id: "C", mimeType: "audio/opus", clockRate: 48000 },
  { type: "inbound-rtp", kind: "audio", codecId: "C", packetsReceived: 990, packetsLost: 10, jitter: 0.004 },
  { type: "outbound-rtp", kind: "audio", codecId: "C", packetsSent: 1001 },
  { type: "remote-inbound-rtp", kind: "audio", roundTripTime: 0.12 },
  { type: "transport", selectedCandidatePairId: "P2", dtlsState: "connected", srtpCipher: "AES" },
  { type: "candidate-pair", id: "P1", nominated: true, state: "succeeded" },
  { type: "candidate-pair", id: "P2", localCandidateId: "L", remoteCandidateId: "R", currentRoundTripTime: 9 },
  { type: "local-candidate", id: "L", candidateType: "srflx", protocol: "udp" },
  { type: "remote-candidate", id: "R", candidateType: "host" },
];

test("WebRTC's statistics become figures, and R24's limits judge them", () => {
  const stats = summarise(REPORTS);
  assert.deepEqual(stats, {
    codec: "opus 48 kHz",
    videoCodec: null,
    sent: 1001,
    received: 990,
    lost: 10,
    jitter: 4,
    rtt: 120,
    pair: "srflx → host",
    protocol: "udp",
    dtls: "connected",
    cipher: "AES",
  });
  assert.equal(lossRatio(stats), 0.01);
  assert.deepEqual(judge(stats), { rtt: "bad", jitter: "good", lost: "bad" });
});

test("before the first packet nothing is claimed", () => {
  const stats = summarise([]);
  assert.ok(Object.values(stats).every((value) => value === null));
  assert.deepEqual(judge(stats), { rtt: "unknown", jitter: "unknown", lost: "unknown" });
});

test("key tones are those of ITU-T Q.23, and silence has no level", () => {
  assert.deepEqual([keyTone("1"), keyTone("#"), keyTone("x")], [[697, 1209], [941, 1477], null]);
  assert.equal(level(new Float32Array(64)), 0);
  assert.equal(level(new Float32Array(64).fill(1)), 1);
});

test("the login stays in the storage only while it is wanted", () => {
  const kept = new Map();
  const storage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
  assert.equal(remembered(storage), null);
  remember(storage, { extension: "6001", secret: "s" });
  assert.deepEqual(remembered(storage), { extension: "6001", secret: "s" });
  forget(storage);
  assert.equal(kept.size, 0);
  for (const key of ["x", "null", "{}"]) {
    assert.equal(remembered({ getItem: () => key }), null);
  }
});
