// Maps SIP status codes, JsSIP causes and browser exceptions to keys of the texts in i18n.js.

const BY_STATUS = {
  401: "wrongSecret",
  403: "forbidden",
  404: "notFound",
  407: "wrongSecret",
  408: "noAnswer",
  415: "noCommonCodec",
  480: "unavailable",
  484: "notFound",
  486: "busy",
  488: "noCommonCodec",
  600: "busy",
  603: "declined",
  606: "noCommonCodec",
};

const BY_CAUSE = {
  Busy: "busy",
  Rejected: "declined",
  Unavailable: "unavailable",
  "Not Found": "notFound",
  "Address Incomplete": "notFound",
  "Authentication Error": "wrongSecret",
  "Incompatible SDP": "noCommonCodec",
  "Missing SDP": "noCommonCodec",
  "Connection Error": "networkLost",
  "Request Timeout": "noAnswer",
  "SIP Failure Code": "serverError",
  "Internal Error": "internalError",
  "WebRTC Error": "mediaFailed",
  "User Denied Media Access": "micDenied",
  "No Answer": "noAnswer",
  Expires: "noAnswer",
  "RTP Timeout": "mediaLost",
  "No ACK": "serverError",
};

/** Why a registration failed. `status` is the SIP code, undefined without a response. */
export function registrationError(status, cause) {
  if (status === 404) return "unknownExtension";
  if (status === 401 || status === 403 || status === 407) return "wrongSecret";
  if (cause === "Connection Error") return "networkLost";
  if (cause === "Request Timeout") return "serverSilent";
  return status ? "registrationRefused" : "serverSilent";
}

/**
 * Why a login got no response. `connected`: the WebSocket was open; `closed`: it was closed, or
 * could not be opened, before the timeout; `online`: the browser has a network. Browsers hide from
 * a page whether a server refused the connection or has an untrusted certificate.
 */
export function loginError({ connected, closed, online }) {
  if (!online) return "offlineLogin";
  if (connected) return closed ? "loginCut" : "loginSilent";
  return closed ? "cannotConnect" : "loginTimeout";
}

/** Why a call ended: null when it is no error (hung up, or cancelled by this side). */
export function callError({ status, cause, originator }) {
  if (cause === "Terminated" || (cause === "Canceled" && originator === "local")) return null;
  if (cause === "Canceled") return "missed";
  if (status && BY_STATUS[status]) return BY_STATUS[status];
  if (status >= 500 && status < 600) return "serverError";
  return BY_CAUSE[cause] ?? "callFailed";
}

/** Why the microphone or camera can't be used, by the exception of getUserMedia. */
export function mediaError(error) {
  switch (error?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return "micDenied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "micMissing";
    case "NotReadableError":
    case "AbortError":
      return "micBusy";
    case "InsecureContext":
      return "insecurePage";
    default:
      return "mediaFailed";
  }
}
