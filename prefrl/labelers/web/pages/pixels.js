// Recorded screens are shown in whole pixels: none is blurred, none is larger than its neighbor.

const CELL = { across: 4, down: 2 }; // of a recorded pixel in the video, as in prefrl/clips.py
const NARROWEST = 4 / 3, WIDEST = 2; // of a pixel as it is shown, width to height, as in prefrl_envs/screens.py

/** Gives the recorded video in a figure the largest size in whole pixels of the display, in the figure's middle. */
export function fit(figure) {
  const video = figure.querySelector("video.recorded");
  if (!video?.videoWidth) return;
  const box = figure.getBoundingClientRect(), density = devicePixelRatio;
  const [width, height] = size(
    [video.videoWidth / CELL.across, video.videoHeight / CELL.down],
    [Math.floor(box.width * density), Math.floor(box.height * density)],
  );
  // Half a pixel aside would blur as well.
  const left = Math.round(box.left * density + (box.width * density - width) / 2) / density - box.left;
  const top = Math.round(box.top * density + (box.height * density - height) / 2) / density - box.top;
  const style = { left, top, width: width / density, height: height / density };
  for (const [name, value] of Object.entries(style)) video.style[name] = `${value}px`;
}

/** Width and height of a screen in a box, both [width, height] in pixels of the display. */
function size([columns, rows], [width, height]) {
  let best = [0, 0];
  for (let across = 1; across * columns <= width; across++) {
    for (let down = 1; down * rows <= height; down++) {
      const fits = across / down >= NARROWEST && across / down <= WIDEST;
      if (fits && across * columns * down * rows >= best[0] * best[1]) best = [across * columns, down * rows];
    }
  }
  if (best[0]) return best;
  const scale = Math.min(width / (2 * columns), height / rows); // no room for whole ones
  return [2 * columns * scale, rows * scale];
}
