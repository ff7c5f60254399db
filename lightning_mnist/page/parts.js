// The strokes of the digit among the ink of a clean canvas or scan, as lightning_mnist/pictures
// finds them. Shadows, ruled lines, frames and grain, which that knows too, are left to `predict`.

const EVEN = 12, CROSSED = 0.15, FAINTEST = 32, THRESHOLD = 0.3;
const SPECK = 0.06, NEAR = 0.35, PALE = 0.7, TALL = 0.5, INSIDE = 0.25;
const SOFT = 3, SMALL = 40, THIN = 1 / 16, PEN = 1 / 12;

function median(values) {
  const sorted = Float64Array.from(values).sort(), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// The level of paper that is even from border to border, with darker ink on it; else null.
function paperOf(levels, width, height) {
  const border = [];
  for (let column = 0; column < width; column++)
    border.push(levels[column], levels[(height - 1) * width + column]);
  for (let row = 0; row < height; row++)
    border.push(levels[row * width], levels[row * width + width - 1]);
  const paper = median(border);
  const off = border.map((level) => Math.abs(level - paper));
  const grain = 1.4826 * median(off), limit = EVEN + 3 * grain;
  const crossed = off.filter((gap) => gap > limit).length / border.length;
  let brighter = 0;
  for (const level of levels) brighter += level > paper + limit;
  const even = crossed < CROSSED && brighter / levels.length < 0.02 && grain < EVEN;
  return { paper, even };
}

// Grey levels to ink, about 0 on paper, whichever of the two is darker.
function inkOf(grey, width, height) {
  const turned = grey.map((level) => 255 - level);
  const [dark, light] = [grey, turned].map((levels) => paperOf(levels, width, height));
  const levels = dark.even || (!light.even && dark.paper >= 128) ? grey : turned;
  const { paper } = levels === grey ? dark : light;
  return Float32Array.from(levels, (level) => paper - level);
}

function quantile(values, share) {
  const sorted = Float32Array.from(values).sort(), at = share * (sorted.length - 1);
  const low = Math.floor(at), rest = at - low;
  return rest ? sorted[low] * (1 - rest) + sorted[low + 1] * rest : sorted[low];
}

// Every pixel becomes the largest (or, eroding, the smallest) of those that `window` reaches.
function spread(mask, width, height, window, eroding = false) {
  const result = new Uint8Array(mask.length).fill(eroding ? 1 : 0);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (Boolean(mask[row * width + column]) === eroding) continue;
      for (const [y, from, to] of window) {
        if (row + y < 0 || row + y >= height) continue;
        const start = (row + y) * width;
        const first = Math.max(column + from, 0), end = Math.min(column + to, width - 1);
        result.fill(eroding ? 0 : 1, start + first, start + end + 1);
      }
    }
  }
  return result;
}

function square(reach) {
  return Array.from({ length: 2 * reach + 1 }, (_, row) => [row - reach, -reach, reach]);
}

function ellipse(reach) {  // OpenCV's MORPH_ELLIPSE
  return square(reach).map(([row]) => {
    const half = rounded(Math.sqrt(reach * reach - row * row));
    return [row, -half, half];
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

// Grey levels to the ink of the digit alone, and whether a second digit is seen; null for none.
function findDigit(grey, width, height) {
  const ink = inkOf(grey, width, height), side = Math.max(width, height);
  const top = ink.reduce((a, b) => Math.max(a, b), 0);
  if (top < FAINTEST) return null;
  const limit = Math.max(THRESHOLD * (side > SMALL ? quantile(ink, 0.995) : top), 1);
  let mask = Uint8Array.from(ink, (value) => value > limit);
  if (side > SMALL) {
    const window = square(Math.max(1, rounded(0.005 * side)));
    mask = spread(spread(mask, width, height, window), width, height, window, true);
  }
  const { labels, parts } = componentsOf(mask, ink, width, height);
  let remaining = parts, main = mainPart(parts);
  while (main && encloses(main, remaining)) {
    remaining = remaining.filter((part) => part !== main);
    main = mainPart(remaining);
  }
  if (!main) return null;
  const others = remaining.filter((part) => part !== main && part.weight >= SPECK * main.weight);
  const second = others.some((part) => isAnother(part, main));
  const chosen = [main, ...others.filter((p) => !isAnother(p, main) && isStrokeOf(p, main))];
  return { ink: strokesOf(chosen, labels, ink, width, height), second };
}

function strokesOf(chosen, labels, ink, width, height) {
  const own = new Set(chosen.map((part) => part.label));
  const strokes = Uint8Array.from(labels, (label) => own.has(label));
  const span = (low, high) => Math.max(...chosen.map((p) => p[high])) - Math.min(...chosen.map((p) => p[low]));
  const size = Math.max(span("left", "right"), span("top", "bottom"));
  const around = spread(strokes, width, height, square(Math.max(SOFT, rounded(0.02 * size))));
  const found = ink.map((value, at) => (around[at] && value > 0 ? value : 0));
  const count = (key) => chosen.reduce((sum, part) => sum + key(part), 0);
  const pen = (2 * count((part) => part.pixels)) / count((part) => part.edge.length);
  const thick = size < SMALL || pen > THIN * size ? found : widened(found, PEN * size - pen, width, height);
  return Uint8Array.from(thick, (value) => clipped(rounded(value), 0, 255));
}

// Strokes that shrinking would thin out, as wide as MNIST's pens made them.
function widened(ink, by, width, height) {
  const window = ellipse((rounded(by) | 1) >> 1), result = new Float32Array(ink.length);
  for (let at = 0; at < ink.length; at++) {
    if (!ink[at]) continue;
    const row = Math.floor(at / width), column = at % width;
    for (const [y, from, to] of window) {
      if (row + y < 0 || row + y >= height) continue;
      for (let x = Math.max(column + from, 0); x <= Math.min(column + to, width - 1); x++) {
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
  const pixels = found && fitLikeMnist(found.ink, width, height);
  return pixels ? { pixels, second: found.second } : null;
}
