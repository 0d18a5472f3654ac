// The page's configuration: ./config.json, written by the web role, over these defaults.

export const DEFAULTS = Object.freeze({
  fqdn: "",
  wssPort: 8089,
  wssPath: "/ws",
  iceServers: [],
  evaluation: true,
});

/** The defaults, overridden by every valid value of `raw`. */
export function mergeConfig(raw) {
  const given = raw !== null && typeof raw === "object" ? raw : {};
  const port = Number(given.wssPort);
  return {
    fqdn: typeof given.fqdn === "string" ? given.fqdn : DEFAULTS.fqdn,
    wssPort: Number.isInteger(port) && port > 0 && port < 65536 ? port : DEFAULTS.wssPort,
    wssPath:
      typeof given.wssPath === "string" && given.wssPath.startsWith("/")
        ? given.wssPath
        : DEFAULTS.wssPath,
    iceServers: Array.isArray(given.iceServers)
      ? given.iceServers.filter((server) => server && server.urls)
      : [],
    evaluation: given.evaluation !== false,
  };
}

/** R02: signalling goes to the host that served the page. */
export function signallingUrl(config, hostname) {
  return `wss://${hostname}:${config.wssPort}${config.wssPath}`;
}

/** Reads ./config.json; a missing or invalid file gives the defaults. */
export async function loadConfig(fetchJson = fetchConfig) {
  try {
    return mergeConfig(await fetchJson());
  } catch {
    return mergeConfig({});
  }
}

async function fetchConfig() {
  const response = await fetch("./config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`config.json: HTTP ${response.status}`);
  return response.json();
}
