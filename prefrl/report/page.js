// Clips play by themselves, unless the reader asked for less motion: then they wait for a click.
const videos = document.querySelectorAll("video");
if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
  for (const video of videos) {
    video.autoplay = false;
    video.controls = true;
    video.pause();
  }
}
// On paper nothing can be opened.
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
