// Talks to the server: one message, one answer.

const NOT_LET_IN = "This browser is not let in any more. Open the address that `prefrl serve` printed.";

export class Refused extends Error {
  constructor(status, body) {
    super(status === 403 ? NOT_LET_IN : body.error ?? `status ${status}`);
    this.status = status;
    this.body = body;
  }
}

export async function post(path, message, options = {}) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(message),
    ...options,
  });
  const body = response.status === 204 ? {} : await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

/** The same message until it is heard: the server takes it once. `onTrouble` is told of every failure. */
export async function insist(path, message, onTrouble) {
  for (let wait = 500; ; wait = Math.min(2 * wait, 5000)) {
    try {
      return await post(path, message, { signal: AbortSignal.timeout(15000) });
    } catch (error) {
      if (error instanceof Refused && error.status < 500) throw error;
      onTrouble(error);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/** A clip as a video element's source, the whole of it in memory. */
export async function fetchClip(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  return URL.createObjectURL(await response.blob());
}
