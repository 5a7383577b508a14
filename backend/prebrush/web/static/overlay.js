// Colours a label map over the photo: here and not on the server, so that looks change without asking it.

/** "#rrggbb" and an opacity to one number as ImageData keeps it on every machine in use, the low byte first. */
function pixelOf(color, opacity) {
  const value = parseInt(color.slice(1), 16);
  const alpha = Math.round(opacity * 255);
  return ((alpha << 24) | ((value & 255) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

/** The colour of each segment 1..n; null for one that no label wants. */
export function colorsOf(answer, { palette, labels, byLabel }) {
  return Array.from({ length: answer.segments }, (_, index) => {
    if (!byLabel || !answer.labels.length) return palette[index % palette.length];
    const place = answer.labels[index];
    return place === null ? null : (labels[place]?.color ?? palette[place % palette.length]);
  });
}

/** Whether a pixel of a segment is nearest to another number, `reach` pixels to the four sides. */
function isEdge(numbers, index, x, y, width, height, reach) {
  const own = numbers[index];
  return (
    (x >= reach && numbers[index - reach] !== own) ||
    (x + reach < width && numbers[index + reach] !== own) ||
    (y >= reach && numbers[index - reach * width] !== own) ||
    (y + reach < height && numbers[index + reach * width] !== own)
  );
}

/** What lies around an object along its outline: a red mask is to be seen on a red cup. */
const HALO = pixelOf("#ffffff", 0.75);

/**
 * Draw an answer into a canvas of its own size.
 *
 * @param look opacity 0..1, outlines, and `reach`: how many pixels wide a line must be to be seen.
 */
export function paint(canvas, answer, colors, { opacity, outlines, reach = 1 }) {
  const { width, height, numbers } = answer;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const fill = Uint32Array.from([0, ...colors.map((color) => (color ? pixelOf(color, opacity) : 0))]);
  const line = Uint32Array.from([HALO, ...colors.map((color) => (color ? pixelOf(color, 1) : 0))]);
  for (let y = 0, index = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, index += 1) {
      const number = numbers[index];
      pixels[index] = outlines && isEdge(numbers, index, x, y, width, height, reach) ? line[number] : fill[number];
    }
  }
  context.putImageData(image, 0, 0);
}
