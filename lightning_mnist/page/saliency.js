// How an answer depends on the pixels: the gradient of a logit, layer by layer backwards.

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

// The slope of each activation, at what it was given.
const SLOPES = {
  relu: (x) => (x > 0 ? 1 : 0),
  gelu: (x) => 0.5 * (1 + errorFunction(x / Math.SQRT2)) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
  silu: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
  elu: (x) => (x > 0 ? 1 : Math.exp(x)),
  tanh: (x) => 1 - Math.tanh(x) ** 2,
  sigmoid: (x) => sigmoid(x) * (1 - sigmoid(x)),
};

// The change of a digit's logit with each grey level, from what `layersOf` gave for the pixels.
function saliencyOf(network, pixels, divisor, layers, digit) {
  const slope = SLOPES[network.activation];
  let slopes = new Float64Array(layers.at(-1).sums.length);
  slopes[digit] = 1;
  for (let place = network.layers.length - 1; place >= 0; place--) {
    const { inputs, outputs, columns } = network.layers[place], passed = new Float64Array(inputs);
    for (let input = 0, at = 0; input < inputs; input++) {
      let sum = 0;
      for (let unit = 0; unit < outputs; unit++, at++) sum += columns[at] * slopes[unit];
      passed[input] = place ? sum * slope(layers[place - 1].sums[input]) : sum;
    }
    slopes = passed;
  }
  return throughPreparation(network, pixels, divisor, slopes);
}

function throughPreparation(network, pixels, divisor, slopes) {
  const sign = network.invert ? -1 : 1;
  if (network.standardize !== "image") {
    const std = network.standardize === "none" ? 1 : network.std;
    return slopes.map((slope) => (sign * slope) / (std * divisor));
  }
  const values = scaled(network, pixels, divisor), { mean, std } = momentsOf(values);
  const fed = values.map((x) => (x - mean) / std), count = values.length;
  const all = slopes.reduce((sum, slope) => sum + slope, 0) / count;
  const along = slopes.reduce((sum, slope, at) => sum + slope * fed[at], 0) / count;
  return slopes.map((slope, at) => (sign * (slope - all - fed[at] * along)) / (std * divisor));
}
