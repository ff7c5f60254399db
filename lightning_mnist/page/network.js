// Networks and digits as they are stored in the page, and what a network answers.

async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Images of 28 x 28 grey levels 0 to 255; of four levels, a byte holds a square of 2 x 2.
function unpackDigits({ count, grey }, bytes) {
  return Array.from({ length: count }, (_, image) => Uint8Array.from({ length: SIDE * SIDE }, (_, at) => {
    if (grey === 255) return bytes[image * SIDE * SIDE + at];
    const row = Math.floor(at / SIDE), column = at % SIDE, half = SIDE / 2;
    const square = bytes[image * half * half + (row >> 1) * half + (column >> 1)];
    return Math.round((((square >> (4 * (row & 1) + 2 * (column & 1))) & 3) * 255) / grey);
  }));
}

// Weights are kept by input, so that a blank pixel costs nothing.
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

// Grey levels 0 to 255 to what the network is fed; `divisor` is 255 unless something goes wrong.
function prepared(network, pixels, divisor = 255) {
  const values = Float64Array.from(pixels, (x) => x / divisor);
  if (network.invert) values.forEach((x, at) => { values[at] = 1 - x; });
  let { mean, std } = network;
  if (network.standardize === "image") {
    mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
    std = Math.sqrt(variance + 1e-5);
  }
  return network.standardize === "none" ? values : values.map((x) => (x - mean) / std);
}

function logitsOf(network, pixels, divisor) {
  const activation = ACTIVATIONS[network.activation];
  let values = prepared(network, pixels, divisor);
  network.layers.forEach(({ inputs, outputs, biases, columns }, place) => {
    const sums = Float64Array.from(biases);
    for (let input = 0; input < inputs; input++) {
      const x = values[input];
      if (x === 0) continue;
      for (let unit = 0, at = input * outputs; unit < outputs; unit++, at++)
        sums[unit] += columns[at] * x;
    }
    values = place < network.layers.length - 1 ? sums.map(activation) : sums;
  });
  return values;
}

function probabilitiesOf(logits, temperature = 1) {
  const top = Math.max(...logits);
  const powers = Array.from(logits, (x) => Math.exp((x - top) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / sum);
}

// The free energy: high where no class has much evidence.
function strangenessOf(logits) {
  const top = Math.max(...logits);
  return -top - Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0));
}

function largest(values) {
  let best = 0;
  for (let at = 1; at < values.length; at++) if (values[at] > values[best]) best = at;
  return best;
}
