// Color, dashes, and contrast with the card, of every line of the chart.
() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[\d.]+/g).slice(0, 3).map((each) => (each / 255 <= 0.04045 ? each / 255 / 12.92 : ((each / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const card = light(getComputedStyle(document.querySelector(".card")).backgroundColor);
  return [...document.querySelectorAll("#chart .line")].map((line) => {
    const { stroke, strokeDasharray } = getComputedStyle(line);
    const [one, other] = [light(stroke), card].sort((a, b) => b - a);
    return { stroke, dashes: strokeDasharray, contrast: (one + 0.05) / (other + 0.05) };
  });
}
