// Clips as video elements, fetched before they are needed, and forgotten when nobody needs them any more.
import { fetchClip } from "./server.js";

export class Clips {
  #held = new Map(); // segment -> {video, failed, ready}

  /** Fetches what is new of these segments, in this order, and forgets the others. */
  want(path, segments) {
    for (const [segment, clip] of this.#held) {
      if (!segments.includes(segment)) {
        this.#held.delete(segment);
        clip.ready.then(() => { URL.revokeObjectURL(clip.video.src); clip.video.removeAttribute("src"); });
      }
    }
    for (const segment of segments) {
      if (!this.#held.has(segment)) this.#held.set(segment, load(`${path}/${segment}`));
    }
  }

  /** {video, failed, ready}: a promise that is kept when the first frame is there, or the reason why it never is. */
  get(segment) {
    return this.#held.get(segment);
  }
}

function load(path) {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true, preload: "auto", disablePictureInPicture: true, disableRemotePlayback: true });
  const clip = { video, failed: "", loaded: false };
  clip.ready = fetchClip(path)
    .then((source) => new Promise((resolve, reject) => {
      video.addEventListener("loadeddata", resolve, { once: true });
      video.addEventListener("error", () => reject(new Error("this browser cannot play WebM clips")), { once: true });
      video.src = source;
    }))
    .then(() => { clip.loaded = true; }, (error) => { clip.failed = error.message; });
  return clip;
}
