// What the network of the page and the one that it trains have in common: layers, and answers.

// The sums of a layer [outputs] for values [inputs], whose weights are kept by input: a blank pixel
// costs nothing.
function sumsOf({ inputs, outputs, biases, columns }, values) {
  const sums = Float64Array.from(biases);
  for (let input = 0; input < inputs; input++) {
    const x = values[input];
    if (x === 0) continue;
    for (let unit = 0, at = input * outputs; unit < outputs; unit++, at++) sums[unit] += columns[at] * x;
  }
  return sums;
}

function largest(values) {
  let best = 0;
  for (let at = 1; at < values.length; at++) if (values[at] > values[best]) best = at;
  return best;
}

// Shares of the classes, and the logarithm of what they are shares of.
function softmax(logits, temperature = 1) {
  const top = Math.max(...logits);
  const powers = Array.from(logits, (x) => Math.exp((x - top) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return { shares: powers.map((x) => x / sum), logSum: Math.log(sum) + top / temperature };
}

function countsOf(digits) {
  const counts = new Array(10).fill(0);
  digits.forEach((digit) => { counts[digit] += 1; });
  return counts;
}
