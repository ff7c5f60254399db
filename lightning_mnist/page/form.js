// MNIST's form of a digit: cropped to the ink, fitted into 20 x 20, centred by mass in 28 x 28.
// It does what lightning_mnist/data/mnist_form.py does; a test holds the two within one grey level.

const SIDE = 28, BOX = 20, EDGE_OF_INK = 0.1;

function rounded(x) {  // halves to the even neighbour, as Python and NumPy round
  const down = Math.floor(x), rest = x - down;
  if (rest !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}

function clipped(x, low, high) {
  return Math.min(Math.max(x, low), high);
}

function lanczos(x) {
  if (x === 0) return 1;
  if (Math.abs(x) >= 3) return 0;
  const angle = Math.PI * x;
  return (3 * Math.sin(angle) * Math.sin(angle / 3)) / (angle * angle);
}

// Weights of the old pixels for each new one, when a line of `from` pixels becomes one of `to`.
function resampling(from, to) {
  const scale = from / to, wide = Math.max(scale, 1), reach = 3 * wide;
  return Array.from({ length: to }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const end = Math.min(Math.trunc(centre + reach + 0.5), from);
    const weights = [];
    for (let at = first; at < end; at++) weights.push(lanczos((at - centre + 0.5) / wide));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

// One direction after the other with whole grey levels in between, as Pillow does it: down first
// where that takes away more than twice as much.
function resized(image, width, height, toWidth, toHeight) {
  if (height - toHeight > 2 * (width - toWidth)) {
    const flat = resizedDown(image, width, height, toHeight);
    return resizedAcross(flat, width, toHeight, toWidth);
  }
  const narrow = resizedAcross(image, width, height, toWidth);
  return resizedDown(narrow, toWidth, height, toHeight);
}

function resizedAcross(image, width, height, toWidth) {
  if (toWidth === width) return image;
  const result = new Uint8ClampedArray(toWidth * height);
  resampling(width, toWidth).forEach(({ first, weights }, column) => {
    for (let row = 0; row < height; row++) {
      let sum = 0;
      for (let at = 0; at < weights.length; at++) sum += weights[at] * image[row * width + first + at];
      result[row * toWidth + column] = Math.floor(sum + 0.5);
    }
  });
  return result;
}

function resizedDown(image, width, height, toHeight) {
  if (toHeight === height) return image;
  const result = new Uint8ClampedArray(width * toHeight);
  resampling(height, toHeight).forEach(({ first, weights }, row) => {
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let at = 0; at < weights.length; at++) sum += weights[at] * image[(first + at) * width + column];
      result[row * width + column] = Math.floor(sum + 0.5);
    }
  });
  return result;
}

function highest(values) {  // of levels from 0 on
  let most = 0;
  for (let at = 0; at < values.length; at++) if (values[at] > most) most = values[at];
  return most;
}

// The part of an image [height, width] that holds levels above a limit, and a margin around it.
function cutOut(image, width, height, limit, margin = 0) {
  let [left, right, upper, lower] = [width, 0, height, 0];
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      if (image[at] <= limit) continue;
      if (column < left) left = column;
      if (column >= right) right = column + 1;
      if (row < upper) upper = row;
      lower = row + 1;
    }
  }
  left = Math.max(left - margin, 0);
  upper = Math.max(upper - margin, 0);
  const wide = Math.min(right + margin, width) - left, tall = Math.min(lower + margin, height) - upper;
  const ink = new image.constructor(wide * tall);
  for (let row = 0; row < tall; row++) {
    const from = (upper + row) * width + left;
    ink.set(image.subarray(from, from + wide), row * wide);
  }
  return { ink, width: wide, height: tall };
}

// Ink 0 to 255 of any size to 28 x 28, row by row; null where there is none.
function fitLikeMnist(ink, width, height) {
  const top = highest(ink);
  if (top === 0) return null;
  const { ink: crop, width: wide, height: tall } = cutOut(ink, width, height, top * EDGE_OF_INK);
  const scale = BOX / Math.max(wide, tall);
  const [toWide, toTall] = [wide, tall].map((side) => Math.max(1, rounded(side * scale)));
  const small = Float64Array.from(resized(crop, wide, tall, toWide, toTall));
  const most = highest(small);
  let [total, across, down] = [0, 0, 0];
  small.forEach((value, at) => {
    small[at] = (value * 255) / most;
    total += small[at];
    across += small[at] * (at % toWide);
    down += small[at] * Math.floor(at / toWide);
  });
  const x = clipped(rounded(SIDE / 2 - across / total), 0, SIDE - toWide);
  const y = clipped(rounded(SIDE / 2 - down / total), 0, SIDE - toTall);
  const image = new Uint8Array(SIDE * SIDE);
  small.forEach((value, at) => {
    image[(y + Math.floor(at / toWide)) * SIDE + x + (at % toWide)] = rounded(value);
  });
  return image;
}
