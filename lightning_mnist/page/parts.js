// The strokes of the digit among the ink of a clean canvas or scan, as lightning_mnist/pictures
// finds them. Shadows, ruled lines, frames and grain, which that knows too, are left to `predict`.

const EVEN = 12, CROSSED = 0.15, FAINTEST = 32, THRESHOLD = 0.3;
const SPECK = 0.06, NEAR = 0.35, PALE = 0.7, TALL = 0.5, INSIDE = 0.25;
const SOFT = 3, SMALL = 40, THIN = 1 / 16, PEN = 1 / 12;

function median(values) {
  const sorted = Float64Array.from(values).sort(), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function countsOfLevels(grey) {
  const counts = new Uint32Array(256);
  for (let at = 0; at < grey.length; at++) counts[grey[at]] += 1;
  return counts;
}

// The paper of levels from 0 to 255 with darker ink on it, and whether it is even up to the border.
function paperOf(border, counts) {
  const paper = median(border), off = border.map((level) => Math.abs(level - paper));
  const grain = 1.4826 * median(off), limit = EVEN + 3 * grain;
  const crossed = off.filter((gap) => gap > limit).length / border.length;
  let [brighter, all] = [0, 0];
  counts.forEach((count, level) => {
    all += count;
    if (level > paper + limit) brighter += count;
  });
  return { paper, even: crossed < CROSSED && brighter / all < 0.02 && grain < EVEN };
}

// Grey levels to ink, about 0 on paper, whichever of the two is darker; and a quantile of the ink.
function inkOf(grey, width, height) {
  const border = [], counts = countsOfLevels(grey);
  for (let column = 0; column < width; column++)
    border.push(grey[column], grey[(height - 1) * width + column]);
  for (let row = 0; row < height; row++)
    border.push(grey[row * width], grey[row * width + width - 1]);
  const dark = paperOf(border, counts);
  const light = paperOf(border.map((level) => 255 - level), counts.slice().reverse());
  const isDark = dark.even || (!light.even && dark.paper >= 128);
  const ink = new Float32Array(grey.length);
  for (let at = 0; at < grey.length; at++)
    ink[at] = isDark ? dark.paper - grey[at] : light.paper - 255 + grey[at];
  const paper = isDark ? dark.paper : light.paper;
  const byInk = Array.from(isDark ? counts.slice().reverse() : counts);  // least ink first
  return { ink, quantile: (share) => quantileOf(byInk, share) + paper - 255 };
}

// Of values that are 0, 1, 2, ... as often as counted, between two of them where need be.
function quantileOf(counts, share) {
  const place = share * (counts.reduce((a, b) => a + b, 0) - 1), low = Math.floor(place);
  const value = (rank) => {
    let passed = 0;
    return counts.findIndex((count) => (passed += count) > rank);
  };
  const rest = place - low;
  return rest ? value(low) * (1 - rest) + value(low + 1) * rest : value(low);
}

// `value` wherever a mask of 0 and 1 has it within `reach` in both directions: first along rows, then
// columns.
function dilated(mask, width, height, reach, value = 1) {
  const spread = (from, lines, length, step, jump) => {
    const to = new Uint8Array(from.length).fill(1 - value);
    for (let line = 0; line < lines; line++) {
      for (let place = 0, until = -1, at = line * jump; place < length + reach; place++) {
        if (place < length && from[at + place * step] === value) until = place + 2 * reach;
        const centre = place - reach;
        if (centre >= 0 && place <= until) to[at + centre * step] = value;
      }
    }
    return to;
  };
  return spread(spread(mask, height, width, 1, width), width, height, width, 1);
}

function closed(mask, width, height, reach) {
  return dilated(dilated(mask, width, height, reach), width, height, reach, 0);
}

function ellipse(reach) {  // OpenCV's MORPH_ELLIPSE: rows, and how far each goes to either side
  return Array.from({ length: 2 * reach + 1 }, (_, place) => {
    const row = place - reach;
    return [row, rounded(Math.sqrt(reach * reach - row * row))];
  });
}

function componentsOf(mask, ink, width, height) {
  const labels = new Int32Array(mask.length), parts = [], queue = [];
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || labels[start]) continue;
    const part = {
      label: parts.length + 1, left: width, top: height, right: 0, bottom: 0, weight: 0, edge: [],
      pixels: 0,
    };
    labels[start] = part.label;
    queue.push(start);
    while (queue.length) {
      const at = queue.pop(), row = Math.floor(at / width), column = at % width;
      part.left = Math.min(part.left, column);
      part.right = Math.max(part.right, column + 1);
      part.top = Math.min(part.top, row);
      part.bottom = Math.max(part.bottom, row + 1);
      part.weight += Math.max(ink[at], 0);
      part.pixels += 1;
      let inner = true;
      for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, height - 1); y++) {
        for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, width - 1); x++) {
          const next = y * width + x;
          if (!mask[next] && (y === row || x === column)) inner = false;
          if (mask[next] && !labels[next]) {
            labels[next] = part.label;
            queue.push(next);
          }
        }
      }
      if (!inner) part.edge.push([row, column]);
    }
    part.width = part.right - part.left;
    part.height = part.bottom - part.top;
    part.size = Math.max(part.width, part.height);
    part.rank = part.weight * part.size;
    part.darkness = part.weight / part.pixels;
    part.onBorder = part.left === 0 || part.top === 0 || part.right === width
      || part.bottom === height;
    parts.push(part);
  }
  return { labels, parts };
}

// Long strokes with much ink; what reaches the border only where nothing else is large enough.
function mainPart(parts) {
  const ranked = [...parts].sort((a, b) => b.rank - a.rank);
  const inside = ranked.filter((part) => !part.onBorder);
  if (!ranked.length || !inside.length) return ranked[0];
  return inside[0].rank < 0.05 * ranked[0].rank ? ranked[0] : inside[0];
}

function encloses(main, parts) {
  return parts.some((part) => part.height > INSIDE * main.height && main.left < part.left
    && main.top < part.top && part.right < main.right && part.bottom < main.bottom);
}

function isAnother(part, main) {
  if (part.height < TALL * main.height || part.onBorder) return false;
  const across = Math.min(part.right, main.right) - Math.max(part.left, main.left);
  const down = Math.min(part.bottom, main.bottom) - Math.max(part.top, main.top);
  return across < 0.3 * Math.min(part.width, main.width)
    || down < 0.3 * Math.min(part.height, main.height);
}

function isStrokeOf(part, main) {
  if (part.darkness < PALE * main.darkness || part.top >= main.bottom || part.onBorder) return false;
  const reach = (NEAR * main.size) ** 2;
  return part.edge.some(([y, x]) => main.edge.some(([v, u]) => (y - v) ** 2 + (x - u) ** 2 < reach));
}

// Grey levels to the ink of the digit alone, cut out, and whether a second digit is seen; null where
// there is none.
function findDigit(grey, width, height) {
  const { ink: all, quantile } = inkOf(grey, width, height), side = Math.max(width, height);
  const top = quantile(1);
  if (top < FAINTEST) return null;
  const limit = Math.max(THRESHOLD * (side > SMALL ? quantile(0.995) : top), 1);
  // With as much around it as strokes may grow: they reach the border of the part just where they
  // reach that of the picture.
  const part = cutOut(all, width, height, limit, SOFT + Math.ceil(side * PEN)), { ink } = part;
  let mask = new Uint8Array(ink.length);
  for (let at = 0; at < ink.length; at++) mask[at] = ink[at] > limit ? 1 : 0;
  if (side > SMALL) mask = closed(mask, part.width, part.height, Math.max(1, rounded(0.005 * side)));
  const { labels, parts } = componentsOf(mask, ink, part.width, part.height);
  let remaining = parts, main = mainPart(parts);
  while (main && encloses(main, remaining)) {
    remaining = remaining.filter((other) => other !== main);
    main = mainPart(remaining);
  }
  if (!main) return null;
  const others = remaining.filter((other) => other !== main && other.weight >= SPECK * main.weight);
  const second = others.some((other) => isAnother(other, main));
  const chosen = [main, ...others.filter((p) => !isAnother(p, main) && isStrokeOf(p, main))];
  return { ...part, ink: strokesOf(chosen, labels, ink, part.width, part.height), second };
}

function strokesOf(chosen, labels, ink, width, height) {
  const own = new Set(chosen.map((part) => part.label)), strokes = new Uint8Array(ink.length);
  for (let at = 0; at < ink.length; at++) if (labels[at] && own.has(labels[at])) strokes[at] = 1;
  const span = (low, high) => Math.max(...chosen.map((p) => p[high])) - Math.min(...chosen.map((p) => p[low]));
  const size = Math.max(span("left", "right"), span("top", "bottom"));
  const around = dilated(strokes, width, height, Math.max(SOFT, rounded(0.02 * size)));
  let found = new Float32Array(ink.length);
  for (let at = 0; at < ink.length; at++) if (around[at] && ink[at] > 0) found[at] = ink[at];
  const sum = (key) => chosen.reduce((total, part) => total + key(part), 0);
  const pen = (2 * sum((part) => part.pixels)) / sum((part) => part.edge.length);
  if (size >= SMALL && pen <= THIN * size) found = widened(found, PEN * size - pen, width, height);
  const whole = new Uint8Array(ink.length);
  for (let at = 0; at < ink.length; at++) if (found[at]) whole[at] = clipped(rounded(found[at]), 0, 255);
  return whole;
}

// Strokes that shrinking would thin out, as wide as MNIST's pens made them.
function widened(ink, by, width, height) {
  const window = ellipse((rounded(by) | 1) >> 1), result = new Float32Array(ink.length);
  for (let at = 0; at < ink.length; at++) {
    if (!ink[at]) continue;
    const row = Math.floor(at / width), column = at % width;
    for (const [y, half] of window) {
      if (row + y < 0 || row + y >= height) continue;
      for (let x = Math.max(column - half, 0); x <= Math.min(column + half, width - 1); x++) {
        const place = (row + y) * width + x;
        if (result[place] < ink[at]) result[place] = ink[at];
      }
    }
  }
  return result;
}

// What the network sees of a picture: 28 x 28 grey levels, or null where there is no ink.
function seenIn(grey, width, height) {
  const found = findDigit(grey, width, height);
  const pixels = found && fitLikeMnist(found.ink, found.width, found.height);
  return pixels ? { pixels, second: found.second } : null;
}
