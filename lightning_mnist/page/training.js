// A small perceptron, trained before one's eyes: runs in a worker.

const SIZES = [784, 64, 32, 10], BATCH = 50;
const FEEDS = {
  "x/255": (x) => x / 255,
  "255-x": (x) => 255 - x,
  "x": (x) => x,
  "x/255/255": (x) => x / 255 / 255,
};

function newLayers(random) {  // Glorot uniform weights by input, zero biases
  return SIZES.slice(1).map((outputs, place) => {
    const inputs = SIZES[place], reach = Math.sqrt(6 / (inputs + outputs));
    const columns = Float32Array.from({ length: inputs * outputs }, () => reach * (2 * random.uniform() - 1));
    return { inputs, outputs, columns, biases: new Float32Array(outputs) };
  });
}

// Activations of each layer, the input first; the last are logits.
function activations(layers, input) {
  const all = [input];
  layers.forEach((layer, place) => {
    const sums = sumsOf(layer, all[place]);
    all.push(place < layers.length - 1 ? sums.map((x) => (x < 0 ? 0 : x)) : sums);
  });
  return all;
}

// Adds the gradient of one image's cross-entropy to `gradients`.
function backward(layers, gradients, all, shares, label) {
  let error = Float32Array.from(shares);
  error[label] -= 1;
  for (let place = layers.length - 1; place >= 0; place--) {
    const { inputs, outputs, columns: weights } = layers[place], { columns: toWeights, biases } = gradients[place];
    if (error.every((x) => x === 0)) return;  // dead: nothing reaches the layers below
    const values = all[place], before = new Float32Array(inputs);
    for (let o = 0; o < outputs; o++) biases[o] += error[o];
    for (let i = 0; i < inputs; i++) {
      const x = values[i];
      if (x === 0) continue;  // of a hidden layer, a unit that is off
      let sum = 0;
      for (let o = 0, at = i * outputs; o < outputs; o++, at++) {
        toWeights[at] += error[o] * x;
        sum += error[o] * weights[at];
      }
      before[i] = sum;
    }
    error = before;
  }
}

const OPTIMIZERS = {
  SGD: (rate) => (weight, gradient) => {
    for (let at = 0; at < weight.length; at++) weight[at] -= rate * gradient[at];
  },
  Adam: (rate) => {  // Kingma and Ba, 2015
    const moments = new Map();
    return (weight, gradient) => {
      if (!moments.has(weight))
        moments.set(weight, { first: new Float32Array(weight.length), second: new Float32Array(weight.length), steps: 0 });
      const own = moments.get(weight), { first, second } = own;
      own.steps += 1;
      const step = (rate * Math.sqrt(1 - 0.999 ** own.steps)) / (1 - 0.9 ** own.steps);
      for (let at = 0; at < weight.length; at++) {
        first[at] += 0.1 * (gradient[at] - first[at]);
        second[at] += 0.001 * (gradient[at] ** 2 - second[at]);
        weight[at] -= (step * first[at]) / (Math.sqrt(second[at]) + 1e-7);
      }
    };
  },
};

function shuffled(count, random) {
  const order = Uint32Array.from({ length: count }, (_, at) => at);
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(random.uniform() * (at + 1));
    [order[at], order[other]] = [order[other], order[at]];
  }
  return order;
}

// How the network answers all digits: counts, loss, spread, and how often each hidden unit is on.
function looked(layers, inputs, labels) {
  const predicted = new Array(10).fill(0), low = new Array(10).fill(1), high = new Array(10).fill(0);
  const on = SIZES.slice(1, -1).map((size) => new Array(size).fill(0));
  let [right, loss, broken] = [0, 0, 0];
  inputs.forEach((input, at) => {
    const all = activations(layers, input), logits = all[all.length - 1];
    if (!logits.every(Number.isFinite)) {
      broken += 1;
      return;
    }
    const answer = softmax(logits), digit = largest(logits);
    predicted[digit] += 1;
    right += digit === labels[at];
    loss += (answer.logSum - logits[labels[at]]) / inputs.length;
    answer.shares.forEach((share, c) => {
      low[c] = Math.min(low[c], share);
      high[c] = Math.max(high[c], share);
    });
    on.forEach((units, place) => units.forEach((_, u) => { units[u] += (all[place + 1][u] > 0) / inputs.length; }));
  });
  return { predicted, right, loss, broken, on, spread: Math.max(...high.map((h, c) => h - low[c])) };
}

// Within a training a slow learner may well answer one class; after the last epoch it has failed.
function guardSays(look, labelCounts, epoch, ended) {
  if (look.broken) return [`logits of ${look.broken} of ${labelCounts.reduce((a, b) => a + b)} images are not finite`];
  const dead = look.on.flatMap((units, place) => (units.every((share) => share === 0)
    ? [`every ReLU unit after layer ${place + 1} is dead: 0 for every image`] : []));
  const signs = signsOf(look.predicted, labelCounts, look.right, look.spread);
  return ended || (epoch >= 3 && look.spread < SPREAD) ? [...dead, ...signs] : dead;
}

function* training({ images, labels, feed, optimizer, rate, epochs, seed }) {
  const random = randomFrom(seed), layers = newLayers(random), update = OPTIMIZERS[optimizer](rate);
  const inputs = images.map((image) => Float32Array.from(image, FEEDS[feed]));
  const labelCounts = countsOf(labels);
  const report = (epoch) => {
    const look = looked(layers, inputs, labels);
    return { epoch, epochs, count: labels.length, ...look, signs: epoch ? guardSays(look, labelCounts, epoch, epoch === epochs) : [] };
  };
  yield report(0);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const order = shuffled(inputs.length, random);
    for (let start = 0; start < order.length; start += BATCH) {
      const batch = order.subarray(start, start + BATCH);
      const gradients = layers.map(({ columns, biases }) => (
        { columns: new Float32Array(columns.length), biases: new Float32Array(biases.length) }));
      for (const at of batch) {
        const all = activations(layers, inputs[at]);
        backward(layers, gradients, all, softmax(all[all.length - 1]).shares, labels[at]);
      }
      layers.forEach((layer, place) => ["columns", "biases"].forEach((part) => {
        update(layer[part], gradients[place][part].map((x) => x / batch.length));
      }));
    }
    yield report(epoch);
  }
}

self.onmessage = ({ data }) => {
  for (const report of training(data)) self.postMessage(report);
};
