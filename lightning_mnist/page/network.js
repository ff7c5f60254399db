// Networks and digits as they are stored in the page, and what a network answers.

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?.^_`{|}~";

// Base 85: five letters for four bytes, and at the end one more than bytes are left.
function bytesOf(text) {
  const values = new Uint8Array(128), groups = Math.ceil(text.length / 5);
  [...LETTERS].forEach((letter, value) => { values[letter.charCodeAt(0)] = value; });
  const view = new DataView(new ArrayBuffer(4 * groups));
  for (let group = 0; group < groups; group++) {
    let sum = 0;
    for (let at = 5 * group; at < 5 * group + 5; at++) sum = 85 * sum + (at < text.length ? values[text.charCodeAt(at)] : 84);
    view.setUint32(4 * group, sum);
  }
  return new Uint8Array(view.buffer, 0, text.length - groups);
}

async function inflate(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Images of 28 x 28 grey levels 0 to 255; of four levels, a byte holds a square of 2 x 2.
function unpackDigits({ count, grey }, bytes) {
  const half = SIDE / 2, levels = [0, 1, 2, 3].map((level) => Math.round((255 * level) / grey));
  return Array.from({ length: count }, (_, image) => {
    if (grey === 255) return bytes.slice(image * SIDE * SIDE, (image + 1) * SIDE * SIDE);
    const pixels = new Uint8Array(SIDE * SIDE);
    for (let row = 0, at = 0; row < SIDE; row++) {
      for (let column = 0; column < SIDE; column++, at++) {
        const square = bytes[(image * half + (row >> 1)) * half + (column >> 1)];
        pixels[at] = levels[(square >> (4 * (row & 1) + 2 * (column & 1))) & 3];
      }
    }
    return pixels;
  });
}

function unpackNetwork(head, bytes) {
  let at = 0;
  const floats = (count) => {
    const values = new Float32Array(bytes.slice(at, at + 4 * count).buffer);
    at += 4 * count;
    return values;
  };
  const layers = [];
  for (let place = 1; place < head.sizes.length; place++) {
    const inputs = head.sizes[place - 1], outputs = head.sizes[place];
    const biases = floats(outputs);
    const columns = new Float32Array(inputs * outputs);
    const size = head.steps === null ? null : floats(outputs);
    const rows = size ? new Int8Array(bytes.buffer, bytes.byteOffset + at, inputs * outputs)
      : floats(inputs * outputs);
    if (size) at += inputs * outputs;
    for (let unit = 0; unit < outputs; unit++)
      for (let input = 0; input < inputs; input++)
        columns[input * outputs + unit] = rows[unit * inputs + input] * (size ? size[unit] : 1);
    layers.push({ inputs, outputs, biases, columns });
  }
  return { ...head, layers };
}

function errorFunction(x) {  // Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const terms = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const tail = terms.reduce((sum, term) => (sum + term) * t, 0) * Math.exp(-x * x);
  return x < 0 ? tail - 1 : 1 - tail;
}

const ACTIVATIONS = {
  relu: (x) => (x > 0 ? x : 0),
  gelu: (x) => 0.5 * x * (1 + errorFunction(x / Math.SQRT2)),
  silu: (x) => x / (1 + Math.exp(-x)),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
};

// Mean and deviation, as the network standardises each image by its own.
function momentsOf(values) {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return { mean, std: Math.sqrt(variance + 1e-5) };
}

// Grey levels 0 to 255 as shares of ink or paper; `divisor` is 255 unless something goes wrong.
function scaled(network, pixels, divisor = 255) {
  return Float64Array.from(pixels, (x) => (network.invert ? 1 - x / divisor : x / divisor));
}

// Grey levels 0 to 255 to what the network is fed.
function prepared(network, pixels, divisor) {
  const values = scaled(network, pixels, divisor);
  if (network.standardize === "none") return values;
  const { mean, std } = network.standardize === "image" ? momentsOf(values) : network;
  return values.map((x) => (x - mean) / std);
}

// What each layer gives, before its activation and after it; the last has none.
function layersOf(network, pixels, divisor) {
  const activation = ACTIVATIONS[network.activation], last = network.layers.length - 1;
  let values = prepared(network, pixels, divisor);
  return network.layers.map((layer, place) => {
    const sums = sumsOf(layer, values);
    values = place < last ? sums.map(activation) : sums;
    return { sums, values };
  });
}

function logitsOf(network, pixels, divisor) {
  return layersOf(network, pixels, divisor).at(-1).values;
}
