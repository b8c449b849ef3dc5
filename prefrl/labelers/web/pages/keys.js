// What a key does; pure.
const KEYS = {
  arrowleft: "left", 1: "left",
  arrowright: "right", 2: "right",
  arrowdown: "tie", 3: "tie",
  0: "skip", s: "skip",
  u: "undo", " ": "replay", p: "pause", f: "slow", h: "help", "?": "help", q: "leave",
};

export const CHOICES = ["left", "right", "tie", "skip"];

/** The action of a keyboard event, or undefined: held keys answer once, and the browser's own shortcuts stay its own. */
export function actionOf(event) {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return undefined;
  return KEYS[event.key.toLowerCase()];
}
