// How far the run and its labelers are, every few seconds.
import { draw, explain } from "./chart.js";
import { counted, ended, short } from "./words.js";

const POLL_MS = 2000;
const at = (id) => document.getElementById(id);

/** [name, value, of what, note, share] of each tile. */
function tiles({ counts, trainer, resume, per_minute: rate, agreement, labelers }) {
  const wanted = trainer.labels_wanted;
  const found = [
    ["Labels", counts.labels.toLocaleString("en"), wanted ? `of ${wanted.toLocaleString("en")}` : "", skipped(counts), wanted ? counts.labels / wanted : undefined],
    ["Pace", rate >= 10 ? Math.round(rate) : rate.toFixed(1), "a minute", "over the last ten minutes"],
    ["Waiting", (counts.open + counts.held).toLocaleString("en"), counts.open + counts.held === 1 ? "pair" : "pairs", `${counts.held.toLocaleString("en")} of them in hand`],
  ];
  if (trainer.step !== undefined) {
    found.push(["Agent", short(trainer.step), trainer.steps ? `of ${short(trainer.steps)} steps` : "steps", doing(trainer, resume), trainer.steps ? trainer.step / trainer.steps : undefined]);
  }
  const measure = agreement.kappa ?? agreement.alpha;
  if (agreement.queries) {
    const name = agreement.kappa === null ? "Krippendorff’s α" : "Cohen’s κ";
    found.push(["Agreement", measure === null ? "–" : measure.toFixed(2), measure === null ? "" : name, `on ${counted(agreement.queries, "shared pair")}`]);
  }
  const seenTwice = labelers.reduce((sum, { consistent }) => sum + consistent.of, 0);
  const same = labelers.reduce((sum, { consistent }) => sum + consistent.count, 0);
  if (seenTwice) found.push(["Consistency", percent(same, seenTwice), "", `${same} of ${counted(seenTwice, "pair")} seen twice`]);
  return found;
}

function doing(trainer, resume) {
  if (ended(trainer)) return "has ended";
  if (trainer.running === false) return `is not training; \`${resume}\` goes on with it`;
  return trainer.waiting_for ? `waits for ${counted(trainer.waiting_for, "label")}` : "is training";
}

function skipped({ skipped: number, expired }) {
  const parts = [number && `${number.toLocaleString("en")} passed over`, expired && `${expired.toLocaleString("en")} outdated`];
  return parts.filter(Boolean).join(", ");
}

function percent(count, of) {
  return of ? `${Math.round((100 * count) / of)} %` : "–";
}

function element(name, words = "", className = "") {
  const made = document.createElement(name);
  made.textContent = words;
  if (className) made.className = className;
  return made;
}

function tile([name, value, of, note, share]) {
  const [made, number] = [element("div"), element("dd", `${value} `, "value")];
  number.append(element("small", of));
  made.append(element("dt", name), number);
  if (note) made.append(element("dd", note, "note"));
  if (share !== undefined) {
    const bar = element("progress");
    [bar.max, bar.value] = [1, Math.min(1, share)];
    bar.setAttribute("aria-label", name);
    made.append(bar);
  }
  return made;
}

function row({ name, answers, per_minute: rate, seconds, left, ties, skipped: passed, consistent }) {
  const made = element("tr");
  const head = element("th", name);
  head.scope = "row";
  const cells = [
    answers.toLocaleString("en"), rate ? rate.toFixed(1) : "–", seconds === null ? "–" : seconds.toFixed(1),
    percent(left.count, left.of), ties.toLocaleString("en"), passed.toLocaleString("en"),
    consistent.of ? `${consistent.count} of ${consistent.of}` : "–",
  ];
  made.append(head, ...cells.map((words) => element("td", words)));
  return made;
}

function show(said) {
  at("subject").textContent = said.subject;
  document.title = `${said.subject}: ${counted(said.counts.labels, "label")}`;
  at("tiles").replaceChildren(...tiles(said).map(tile));
  chart(said);
  at("labelers").replaceChildren(...said.labelers.map(row));
  at("nobody").hidden = said.labelers.length > 0;
  document.querySelector(".scroll").hidden = said.labelers.length === 0;
}

function chart({ curve, curves, now, trainer, counts }) {
  const box = at("chart");
  at("legend").hidden = curves.length < 2;
  if (!curve.length) {
    box.replaceChildren(element("p", "The first label draws the first line here.", "empty"));
    return;
  }
  draw(box, curve, curves, now, trainer.labels_wanted, box.clientWidth, box.clientWidth < 500 ? 200 : 260);
  explain(at("legend"), [["All", "line", counts.labels], ...curves.map(([name, points], who) => [name, `line who-${who}`, points.at(-1)[1]])]);
}

function live(words) {
  if (at("live").textContent !== words) at("live").textContent = words;
}

async function poll() {
  if (document.hidden) return;
  try {
    const response = await fetch("/progress.json", { signal: AbortSignal.timeout(10000) });
    if (response.ok) show(await response.json());
    live(response.ok ? "Updates by itself." : "Open the address that `prefrl serve` printed.");
  } catch {
    live("The server cannot be reached; these are the last numbers.");
  }
}

document.addEventListener("visibilitychange", poll);
addEventListener("resize", poll);
setInterval(poll, POLL_MS);
poll();
