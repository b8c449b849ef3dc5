// Numbers and states as words; pure.

/** 1234 as 1,234; 20500 as 20k; 1250000 as 1.25M. */
export function short(number) {
  if (number < 10000) return Math.round(number).toLocaleString("en");
  if (number < 1e6) return `${Math.floor(number / 1000)}k`;
  return `${Number((number / 1e6).toFixed(2))}M`;
}

export function counted(number, what) {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}

/** The parts of the line under the clips, the most important first. */
export function figures(state) {
  const parts = [counted(state.answers, "answer")]; // skips and repeats among them, which are no labels
  if (state.answers >= 3) parts.push(`${Math.round(state.per_minute)} a minute`); // a rate over less is noise
  parts.push(`${state.waiting.toLocaleString("en")} waiting`);
  const step = agentStep(state.trainer);
  return step ? [...parts, step] : parts;
}

export function agentStep(trainer) {
  if (trainer.step === undefined) return "";
  return `step ${short(trainer.step)}` + (trainer.steps ? ` of ${short(trainer.steps)}` : "");
}

export function ended({ step, steps }) {
  return Boolean(steps) && step >= steps;
}

/** [what, why] while no pair is open, or after the last one that this labeler wants. */
export function emptiness(state) {
  if (state.left) return ["You may close this tab", `Answers saved: ${state.answers.toLocaleString("en")}. Reload the page to go on.`];
  const { labels, labels_wanted: wanted, running } = state.trainer;
  if (wanted && labels >= wanted) {
    return ["That was the last pair", `All ${counted(wanted, "label")} of this run are given. Thank you.`];
  }
  if (ended(state.trainer)) {
    return ["The run has ended", "The agent has made all of its steps, and asks nothing more. Thank you."];
  }
  if (running === false) {
    return ["Training is not running", `\`${state.resume}\` goes on with it; then the next pair appears here by itself.`];
  }
  const step = agentStep(state.trainer);
  const training = step ? `The agent is at ${step}.` : "The agent has asked nothing more so far.";
  return ["Nothing to compare right now", `${training} The next pair appears here by itself.`];
}

export const SAID = {
  left: "left is better", right: "right is better", tie: "a tie", skip: "can’t tell",
};
