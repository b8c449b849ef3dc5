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
let state = null; // what the server said last
let shown = ""; // the pair on the screen, by its turn and segments
let saving = false;
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

function goodbye() {
  if (!tab) return;
  const body = new Blob(["{}"], { type: "application/json" });
  navigator.sendBeacon(`/tabs/${tab}/close`, body);
  tab = "";
}

// ---- what is on the screen

function take(said) {
  state = said;
  at("alarm").hidden = true;
  show();
}

function show() {
  const pair = state.pairs[0];
  clips.want(`/tabs/${tab}/clips`, state.pairs.flatMap(({ left, right }) => [left, right]));
  at("clips").hidden = at("answers").hidden = !pair;
  at("empty").hidden = Boolean(pair);
  at("question").textContent = state.question;
  at("question").hidden = !pair;
  at("subject").textContent = state.subject;
  document.title = pair ? `${state.subject}: ${state.question}` : `${state.subject}: waiting`;
  at("figures").replaceChildren(...figures(state).map((words, number) => {
    const part = document.createElement("span");
    part.textContent = (number ? " · " : "") + words;
    return part;
  }));
  document.querySelector("[data-action=undo]").disabled = state.answers === 0;
  if (!pair) {
    [at("empty-what").textContent, at("empty-why").textContent] = emptiness(state);
    if (shown !== "nothing") say(at("empty-what").textContent);
    shown = "nothing";
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
  at("alarm").textContent = words;
  at("alarm").hidden = false;
}

function flash(choice) {
  const marked = [document.querySelector(`[data-action=${choice}]`)];
  for (const element of marked) {
    element.classList.add("chosen");
    setTimeout(() => element.classList.remove("chosen"), FLASH_MS);
  }
}

// ---- what was said of it

/** The next pair is shown before the server has heard: its clips are here. Until it has, no other answer is taken. */
async function answer(choice) {
  if (saving || !state?.pairs.length) return;
  performance.mark("answer");
  flash(choice);
  const turn = state.turn;
  if (state.pairs.length > 1) {
    state = { ...state, pairs: state.pairs.slice(1), answers: state.answers + 1, waiting: state.waiting - 1 };
    show();
  }
  await send("answer", { turn, choice });
  say(`Saved: ${SAID[choice]}. ${state.pairs.length ? "Next pair." : at("empty-what").textContent}`);
}

async function undo() {
  if (saving || !state) return;
  const before = state.answers;
  await send("undo", { turn: state.turn });
  say(state.answers < before ? "Taken back. Choose again." : "There is nothing to take back.");
}

async function send(what, message) {
  busy(true);
  try {
    take(await insist(`/tabs/${tab}/${what}`, message, () => trouble("Not saved yet: the server cannot be reached. Trying again…")));
  } catch (error) {
    recover(error);
  } finally {
    busy(false);
  }
}

function busy(now) {
  saving = now;
  at("answers").setAttribute("aria-busy", now);
}

/** The server refused: it says what is on the screen now, or it has forgotten this sitting and a new one begins. */
function recover(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 409 && error.body.pairs) {
    take(error.body);
    if (error.body.error !== "stale") trouble(error.body.error);
  } else if (error.status === 404) {
    tab = "";
    begin(savedName());
  } else if (error.status === 403) {
    trouble("This browser is not let in any more. Open the address that `prefrl serve` printed.");
  } else {
    trouble(error.message);
  }
}

async function poll() {
  polls += 1;
  if (!tab || saving || document.hidden || (state.pairs.length && polls % 5)) return;
  try {
    const of = tab;
    const said = await post(`/tabs/${of}/refill`, {}, { signal: AbortSignal.timeout(5000) });
    if (of === tab && !saving && said.turn >= state.turn) take(said);
  } catch (error) {
    if (error instanceof Refused && error.status < 500) recover(error);
    else trouble("The server cannot be reached. Trying again…");
  }
}

// ---- keys, buttons, and the rest of the world

const ACTIONS = {
  undo,
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
