// What may go wrong between a picture and a network.

const DIVISORS = { once: 255, twice: 255 * 255, never: 1 };

// Bilinear: the image shrunk to `size` about its middle, moved right and down by `shift` pixels.
function moved(pixels, size, shift) {
  if (size === 1 && shift === 0) return pixels;
  const middle = (SIDE - 1) / 2, result = new Float64Array(SIDE * SIDE);
  const level = (y, x) => (y < 0 || x < 0 || y >= SIDE || x >= SIDE ? 0 : pixels[y * SIDE + x]);
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      const y = (row - shift - middle) / size + middle, x = (column - shift - middle) / size + middle;
      const [upper, left] = [Math.floor(y), Math.floor(x)], [v, u] = [y - upper, x - left];
      result[row * SIDE + column] = (1 - v) * ((1 - u) * level(upper, left) + u * level(upper, left + 1))
        + v * ((1 - u) * level(upper + 1, left) + u * level(upper + 1, left + 1));
    }
  }
  return result;
}

// Grey levels 0 to 255 to the same, changed; `noise` is a deviation in grey levels.
function changed(pixels, { invert, size, shift, noise }, seed) {
  const { normal } = randomFrom(seed);
  const result = Float64Array.from(moved(pixels, size, shift));
  for (let at = 0; at < result.length; at++) {
    if (invert) result[at] = 255 - result[at];
    if (noise) result[at] = clipped(result[at] + noise * normal(), 0, 255);
  }
  return result;
}
