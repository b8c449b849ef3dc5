// The sitting: what is on the screen, what was said of it, and who says it.
import { Clips } from "./clips.js";
import { CHOICES, actionOf } from "./keys.js";
import { fit } from "./pixels.js";
import { Playing } from "./playing.js";
import { Refused, insist, post } from "./server.js";
import { SAID, emptiness, figures } from "./words.js";

const POLL_MS = 1000; // while nothing is open; otherwise a fifth as often
const FLASH_MS = 160;

const at = (id) => document.getElementById(id);
const clips = new Clips();
const playing = new Playing(matchMedia("(prefers-reduced-motion: reduce)").matches);

let tab = ""; // the id of this sitting
let state = null; // what is shown: what the server said last, or will have said once it takes the answer on its way
let unsaved = null; // the state before that answer; its clips are kept until the answer is taken
let shown = ""; // the pair on the screen, by its segments, or what is said while there is none
let saving = false;
let barred = ""; // what is said while the server does not let this browser in, and nothing can be saved
let polls = 0;

// ---- who

function savedName() {
  return sessionStorage.getItem("name") ?? localStorage.getItem("name") ?? "";
}

function askName(wrong = "") {
  at("naming-wrong").textContent = wrong;
  at("naming-wrong").hidden = !wrong;
  at("name").value = savedName();
  at("naming-cancel").hidden = !tab;
  if (!at("naming").open) at("naming").showModal();
  at("name").select();
}

async function begin(name) {
  goodbye();
  const opened = await insist("/tabs", { name }, () => trouble("The server cannot be reached. Trying again…"));
  tab = opened.tab;
  sessionStorage.setItem("name", opened.labeler);
  localStorage.setItem("name", opened.labeler);
  at("who").textContent = opened.labeler;
  at("who").setAttribute("aria-label", `You label as ${opened.labeler}. Change the name`);
  take(opened);
}

/** Gives back what this tab holds; what is on its way is waited for. */
function leave() {
  if (saving || !tab) return;
  goodbye();
  take({ ...state, pairs: [], left: true });
}

function goodbye() {
  if (!tab) return;
  const body = new Blob(["{}"], { type: "application/json" });
  navigator.sendBeacon(`/tabs/${tab}/close`, body);
  tab = "";
}

// ---- what is on the screen

function take(said) {
  [state, unsaved] = [said, null];
  at("alarm").hidden = true;
  bar("");
  show();
}

/** What is shown and counted is what the server knows of. */
function putBack() {
  [state, unsaved] = [unsaved ?? state, null];
  show();
}

function show() {
  const pair = state.pairs[0];
  clips.want(`/tabs/${tab}/clips`, (unsaved ?? state).pairs.flatMap(({ left, right }) => [left, right]));
  at("clips").hidden = at("answers").hidden = !pair;
  at("empty").hidden = Boolean(pair);
  at("question").textContent = state.question;
  at("question").hidden = !pair;
  at("subject").textContent = state.subject;
  document.title = `${state.subject}: ${pair ? state.question : state.left ? "closed" : "waiting"}`;
  document.querySelector("footer").hidden = Boolean(state.left);
  at("figures").replaceChildren(...figures(state).map((words, number) => {
    const part = document.createElement("span");
    part.textContent = (number ? " · " : "") + words;
    return part;
  }));
  document.querySelector("[data-action=undo]").disabled = Boolean(barred) || state.answers === 0;
  if (!pair) {
    const [what, why] = emptiness(state);
    [at("empty-what").textContent, at("empty-why").textContent] = [what, why];
    if (shown !== what) say(what);
    shown = what;
    playing.stop();
    return;
  }
  if (shown === `${pair.left} ${pair.right}`) return;
  shown = `${pair.left} ${pair.right}`;
  put(pair);
}

/** Both clips at once: the first frame of one alone would be looked at first. */
function put(pair) {
  const sides = ["left", "right"].map((side) => ({ figure: at(side), clip: clips.get(pair[side]) }));
  const now = shown;
  for (const { clip } of sides) clip.video.classList.toggle("recorded", state.recorded);
  const all = () => {
    if (shown !== now) return;
    for (const { figure, clip } of sides) fill(figure, clip.failed ? word(`This clip cannot be shown: ${clip.failed}`, true) : clip.video);
    playing.show(sides.filter(({ clip }) => !clip.failed).map(({ clip }) => clip.video));
    controls();
    performance.mark("pair");
  };
  if (sides.every(({ clip }) => clip.loaded || clip.failed)) return all();
  playing.stop();
  for (const { figure } of sides) fill(figure, word("Drawing the clip…"));
  Promise.all(sides.map(({ clip }) => clip.ready)).then(all);
}

function fill(figure, element) {
  figure.replaceChildren(figure.querySelector("figcaption"), element);
  fit(figure);
}

function word(text, failed = false) {
  const element = document.createElement("p");
  element.className = failed ? "word failed" : "word";
  element.textContent = text;
  return element;
}

function controls() {
  document.querySelector("[data-action=pause]").setAttribute("aria-pressed", playing.paused);
  document.querySelector("[data-action=slow]").setAttribute("aria-pressed", playing.slow);
}

function say(words) {
  at("said").textContent = words;
}

function trouble(words) {
  if (at("alarm").textContent !== words) at("alarm").textContent = words; // or it would be read out again
  at("alarm").hidden = false;
}

function flash(choice) {
  const button = document.querySelector(`[data-action=${choice}]`);
  button.classList.add("chosen");
  setTimeout(() => button.classList.remove("chosen"), FLASH_MS);
}

// ---- what was said of it

/** The next pair is shown before the server has heard: its clips are here. Until it has, no other answer is taken. */
async function answer(choice) {
  if (saving || barred || !state?.pairs.length) return;
  performance.mark("answer");
  flash(choice);
  const before = state;
  if (before.pairs.length > 1) {
    unsaved = before;
    state = { ...before, pairs: before.pairs.slice(1), answers: before.answers + 1, waiting: before.waiting - 1 };
    show();
  }
  const heard = await send("answer", { turn: before.turn, choice }, "Your last answer is not saved.");
  if (!heard || state.answers <= before.answers) return say("Not saved.");
  say(`Saved: ${SAID[choice]}. ${state.pairs.length ? "Next pair." : at("empty-what").textContent}`);
}

async function undo() {
  if (saving || barred || !tab) return;
  const before = state.answers;
  const heard = await send("undo", { turn: state.turn }, "Nothing is taken back.");
  say(heard && state.answers < before ? "Taken back. Choose again." : "Nothing is taken back.");
}

/** Returns whether this sitting's state is the server's word on it; `otherwise` is said where it is not. */
async function send(what, message, otherwise) {
  busy(true);
  try {
    take(await insist(`/tabs/${tab}/${what}`, message, () => trouble("Not saved yet: the server cannot be reached. Trying again…")));
    return true;
  } catch (error) {
    return await recover(error, otherwise);
  } finally {
    busy(false);
  }
}

function busy(now) {
  saving = now;
  at("answers").setAttribute("aria-busy", now);
}

function bar(words) {
  barred = words;
  at("answers").inert = Boolean(words);
}

/**
 * The server refused: it says what is on the screen now, or has forgotten this sitting and a new one begins, or does not
 * let this browser in until its address is opened anew. Returns whether the sitting goes on; `lost` is said if it does not.
 */
async function recover(error, lost = "") {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 409 && error.body.pairs) {
    take(error.body);
    if (error.body.error !== "stale") trouble(error.body.error);
    return true;
  }
  if (error.status === 404) {
    tab = "";
    await begin(savedName());
    if (lost) trouble(`${lost} This sitting had ended; a new one has begun.`);
    polls = 0; // the next poll hides it: not at once
    return false;
  }
  const words = `${lost} ${error.message}`.trim();
  if (error.status === 403) bar(barred || words);
  trouble(barred || words);
  putBack();
  return false;
}

async function poll() {
  polls += 1;
  if (!tab || saving || document.hidden || (state.pairs.length && !barred && polls % 5)) return;
  const of = tab;
  try {
    const said = await post(`/tabs/${of}/refill`, {}, { signal: AbortSignal.timeout(5000) });
    if (of === tab && !saving && said.turn >= state.turn) take(said);
  } catch (error) {
    if (of !== tab || saving) return; // the answer on its way will hear the same
    if (error instanceof Refused && error.status < 500) await recover(error);
    else trouble("The server cannot be reached. Trying again…");
  }
}

// ---- keys, buttons, and the rest of the world

const ACTIONS = {
  undo,
  leave,
  replay: () => playing.replay(),
  pause: () => playing.pause(),
  slow: () => playing.toggleSlow(),
  help: () => (at("help").open ? at("help").close() : at("help").showModal()),
};

function act(action) {
  if (CHOICES.includes(action)) answer(action);
  else ACTIONS[action]();
  controls();
}

addEventListener("keydown", (event) => {
  const action = actionOf(event);
  if (event.key === " " && event.target.matches("button:focus-visible, a:focus-visible")) return; // reached by Tab
  if (!action || at("naming").open || (at("help").open && action !== "help")) return;
  event.preventDefault(); // arrows do not scroll
  act(action);
});
for (const button of document.querySelectorAll("[data-action]")) {
  button.addEventListener("click", (event) => {
    if (event.detail) button.blur(); // pressed with a finger or a mouse: the space bar stays the clips'
    act(button.dataset.action);
  });
}
at("help-close").addEventListener("click", () => at("help").close());
at("help").addEventListener("click", (event) => { if (event.target === at("help")) at("help").close(); });
at("who").addEventListener("click", () => askName());
at("naming-cancel").addEventListener("click", () => at("naming").close());
at("naming").addEventListener("cancel", (event) => { if (!tab) event.preventDefault(); });
at("naming-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = at("name").value.trim();
  if (!name) return;
  at("naming").close();
  if (!tab || name !== state.labeler) begin(name).catch((error) => askName(error.message));
});
addEventListener("pagehide", goodbye);
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && state?.pairs) { polls = 4; poll(); } });
for (const side of ["left", "right"]) new ResizeObserver(() => fit(at(side))).observe(at(side));
setInterval(poll, POLL_MS);
setInterval(() => playing.align(), 200);

if (savedName()) begin(savedName()).catch((error) => askName(error.message));
else askName();
