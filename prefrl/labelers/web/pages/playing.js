// Two clips in step: both begin together, and the next round begins when both have ended.

const HOLD_MS = 350; // the last frame stays a moment, so that an end is seen to be one
const APART_S = 0.05; // that one clip may be behind the other
const SLOW = 0.25;

export class Playing {
  #videos = [];
  #paused = false;
  #slow = false;
  #once; // who asked for less motion sees a clip when they ask for it
  #timer = 0;

  constructor(reducedMotion) {
    this.#once = reducedMotion;
  }

  get paused() { return this.#paused; }
  get slow() { return this.#slow; }

  show(videos) {
    this.stop();
    this.#videos = videos;
    this.#paused = this.#once;
    for (const video of videos) video.onended = () => this.#ended();
    this.#start();
  }

  stop() {
    clearTimeout(this.#timer);
    for (const video of this.#videos) { video.onended = null; video.pause(); }
    this.#videos = [];
  }

  replay() {
    this.#paused = false;
    this.#start();
  }

  pause() {
    this.#paused = !this.#paused;
    clearTimeout(this.#timer);
    if (this.#paused) for (const video of this.#videos) video.pause();
    else if (this.#videos.every((video) => video.ended)) this.#start();
    else this.#play();
  }

  toggleSlow() {
    this.#slow = !this.#slow;
    for (const video of this.#videos) video.playbackRate = this.#slow ? SLOW : 1;
  }

  /** To be called now and then: who is ahead waits. */
  align() {
    const [one, other] = this.#videos;
    if (!other || this.#paused || one.ended || other.ended) return;
    const apart = one.currentTime - other.currentTime;
    if (Math.abs(apart) > APART_S) (apart > 0 ? one : other).currentTime -= Math.abs(apart);
  }

  #start() {
    clearTimeout(this.#timer);
    for (const video of this.#videos) video.currentTime = 0;
    if (!this.#paused) this.#play();
  }

  #play() {
    for (const video of this.#videos) {
      video.playbackRate = this.#slow ? SLOW : 1;
      if (!video.ended) video.play().catch(() => {}); // taken off the screen meanwhile
    }
  }

  #ended() {
    if (!this.#videos.every((video) => video.ended)) return;
    if (this.#once) this.#paused = true;
    else this.#timer = setTimeout(() => this.#start(), HOLD_MS);
  }
}
