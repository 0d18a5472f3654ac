// Reduces WebRTC's statistics (W3C webrtc-stats) to the few figures that the page shows.

const kindOf = (report) => report.kind ?? report.mediaType;

function pick(reports, type, kind) {
  return reports.find((report) => report.type === type && kindOf(report) === kind);
}

function codecName(reports, stream) {
  const codec = reports.find((report) => report.type === "codec" && report.id === stream?.codecId);
  if (!codec) return null;
  const name = codec.mimeType.split("/")[1];
  const rate = codec.clockRate ? ` ${codec.clockRate / 1000} kHz` : "";
  return `${name}${kindOf(stream) === "audio" ? rate : ""}`;
}

function chosenPair(reports) {
  const transport = reports.find((report) => report.type === "transport");
  const pairs = reports.filter((report) => report.type === "candidate-pair");
  return (
    pairs.find((pair) => pair.id === transport?.selectedCandidatePairId) ??
    pairs.find((pair) => pair.nominated && pair.state === "succeeded") ??
    null
  );
}

/**
 * One snapshot. Packets are counts since the call began; `rtt` and `jitter` are milliseconds;
 * values that aren't known yet are null.
 */
export function summarise(reports) {
  const inbound = pick(reports, "inbound-rtp", "audio");
  const outbound = pick(reports, "outbound-rtp", "audio");
  const remote = pick(reports, "remote-inbound-rtp", "audio");
  const video = pick(reports, "inbound-rtp", "video") ?? pick(reports, "outbound-rtp", "video");
  const transport = reports.find((report) => report.type === "transport");
  const pair = chosenPair(reports);
  const end = (id) => reports.find((report) => report.id === id);
  const local = end(pair?.localCandidateId);
  const far = end(pair?.remoteCandidateId);
  const seconds = remote?.roundTripTime ?? pair?.currentRoundTripTime;
  return {
    codec: codecName(reports, inbound) ?? codecName(reports, outbound),
    videoCodec: codecName(reports, video),
    sent: outbound?.packetsSent ?? null,
    received: inbound?.packetsReceived ?? null,
    lost: inbound?.packetsLost ?? null,
    jitter: typeof inbound?.jitter === "number" ? inbound.jitter * 1000 : null,
    rtt: typeof seconds === "number" ? seconds * 1000 : null,
    pair: local && far ? `${local.candidateType} → ${far.candidateType}` : null,
    protocol: local?.protocol ?? null,
    dtls: transport?.dtlsState ?? null,
    cipher: transport?.srtpCipher ?? null,
  };
}

/** Packet loss as a fraction of the expected packets, 0 to 1; null before the first packet. */
export function lossRatio({ lost, received }) {
  if (lost === null || received === null || lost + received <= 0) return null;
  return Math.max(0, lost) / (lost + received);
}

/** Limits of R24: under 100 ms (round trip), 20 ms and 1 %. */
export const LIMITS = Object.freeze({ rtt: 100, jitter: 20, loss: 0.01 });

/** `good`, `bad` or `unknown` per judged figure. */
export function judge(stats) {
  const against = (value, limit) =>
    value === null ? "unknown" : value < limit ? "good" : "bad";
  return {
    rtt: against(stats.rtt, LIMITS.rtt),
    jitter: against(stats.jitter, LIMITS.jitter),
    lost: against(lossRatio(stats), LIMITS.loss),
  };
}

/** Calls `onStats` once per second with the connection's figures, until the returned stop. */
export function watch(connection, onStats, everyMs = 1000) {
  let stopped = false;
  const sample = async () => {
    if (stopped || connection.connectionState === "closed") return;
    const reports = [...(await connection.getStats()).values()];
    if (!stopped) onStats(summarise(reports));
  };
  const timer = setInterval(() => void sample(), everyMs);
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}
