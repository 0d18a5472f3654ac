// The login, stored for this tab only (sessionStorage), and only at the user's request.

const KEY = "ucontact.softphone.login";

export function remembered(storage) {
  try {
    const { extension, secret } = JSON.parse(storage.getItem(KEY) ?? "null") ?? {};
    return extension && secret ? { extension, secret } : null;
  } catch {
    return null;
  }
}

export function remember(storage, login) {
  storage.setItem(KEY, JSON.stringify(login));
}

export function forget(storage) {
  storage.removeItem(KEY);
}
