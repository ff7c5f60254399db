// Inside the first network: what its units look for, which of them are on, and why it answers so.

const FOR = [86, 168, 255], AGAINST = [255, 146, 43], ON = [242, 183, 5];
const PLACES = ["upper left", "top", "upper right", "left", "middle", "right", "lower left", "bottom", "lower right"];

function most(values) {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
}

// 28 x 28 signed values in two colours on black, over a picture in grey where there is one.
function signed(values, below = null) {
  const scale = most(values), image = new ImageData(SIDE, SIDE), { data } = image;
  for (let at = 0; at < values.length; at++) {
    const grey = below ? 0.45 * below[at] : 0, share = (Math.abs(values[at]) / scale) ** 0.7;
    const colour = values[at] > 0 ? FOR : AGAINST;
    for (let hue = 0; hue < 3; hue++) data[4 * at + hue] = grey * (1 - share) + colour[hue] * share;
    data[4 * at + 3] = 255;
  }
  return image;
}

// The ninths of the picture where values 28 x 28 are highest and lowest.
function extremes(values) {
  const third = (x) => (x < 10 ? 0 : x < 18 ? 1 : 2), sums = new Array(9).fill(0);
  values.forEach((value, at) => { sums[3 * third(Math.floor(at / SIDE)) + third(at % SIDE)] += value; });
  return [largest(sums), largest(sums.map((sum) => -sum))].map((ninth) => PLACES[ninth]);
}

// How much the ink of each pixel varies among the digits: a border pixel's weight means nothing.
function deviationsOf(images) {
  return Float64Array.from({ length: SIDE * SIDE }, (_, at) => {
    const levels = images.map((image) => image[at]), mean = levels.reduce((a, b) => a + b) / levels.length;
    return Math.sqrt(levels.reduce((sum, level) => sum + (level - mean) ** 2, 0) / levels.length);
  });
}

class Inside {
  constructor(network, images, labels) {
    Object.assign(this, { network, images, labels, deviations: deviationsOf(images), means: new Map() });
    this.units = network.layers[0].outputs;
    this.across = Math.min(32, Math.ceil(Math.sqrt(2 * this.units)));
    this.tiles = element("canvas");
    this.tiles.width = this.across * SIDE;
    this.tiles.height = Math.ceil(this.units / this.across) * SIDE;
    for (let unit = 0; unit < this.units; unit++)
      this.tiles.getContext("2d").putImageData(signed(this.lookedFor(unit)), ...this.corner(unit));
    const { width, height } = this.tiles;
    Object.assign(find("tiles"), { width, height });
    find("unit").max = this.units - 1;
    find("unit").oninput = () => { this.showTiles(); this.showUnit(); };
    find("tiles").onclick = (event) => this.choose(event);
    const hidden = network.layers.length - 1;
    find("layers").append(...Array.from({ length: hidden }, () => element("canvas")));
  }

  // What a unit of the first layer looks for: its weight for each pixel's ink, by how much that varies.
  lookedFor(unit) {
    const { outputs, columns } = this.network.layers[0], sign = this.network.invert ? -1 : 1;
    return this.deviations.map((deviation, input) => sign * deviation * columns[input * outputs + unit]);
  }

  corner(unit) {
    return [(unit % this.across) * SIDE, Math.floor(unit / this.across) * SIDE];
  }

  choose({ offsetX, offsetY }) {
    const size = find("tiles").clientWidth / this.across;
    const unit = Math.floor(offsetY / size) * this.across + Math.floor(offsetX / size);
    find("unit").value = Math.min(unit, this.units - 1);
    find("unit").oninput();
  }

  // Of what is drawn, or nothing: { pixels, divisor, layers, digit }.
  show(seen) {
    this.seen = seen;
    this.showWhy();
    this.showLayers();
    this.showTiles();
    this.showUnit();
  }

  showWhy() {
    const canvas = find("why"), context = canvas.getContext("2d");
    if (!this.seen) {
      context.clearRect(0, 0, SIDE, SIDE);
      find("why-said").textContent = "Nothing drawn yet.";
      return;
    }
    const { pixels, divisor, layers, digit } = this.seen;
    const saliency = saliencyOf(this.network, pixels, divisor, layers, digit);
    context.putImageData(signed(saliency, pixels), 0, 0);
    const [best, worst] = extremes(saliency);
    find("why-said").textContent = `More ink would speak for a ${digit} most at the ${best}, `
      + `and against it most at the ${worst}.`;
  }

  showLayers() {
    [...find("layers").children].forEach((canvas, place) => {
      const values = this.seen?.layers[place].values ?? new Float64Array(this.network.sizes[place + 1]);
      const across = Math.min(32, Math.ceil(Math.sqrt(2 * values.length))), scale = most(values);
      canvas.width = across;
      canvas.height = Math.ceil(values.length / across);
      const image = new ImageData(canvas.width, canvas.height);
      values.forEach((value, at) => image.data.set(
        [...(value > 0 ? ON : FOR).map((level) => (level * Math.abs(value)) / scale), 255], 4 * at));
      canvas.getContext("2d").putImageData(image, 0, 0);
      const on = values.filter((value) => value > 0).length;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Layer ${place + 1}: ${on} of ${values.length} units are on`);
    });
  }

  showTiles() {
    const context = find("tiles").getContext("2d"), chosen = this.corner(Number(find("unit").value));
    context.drawImage(this.tiles, 0, 0);
    const values = this.seen?.layers[0].values, scale = values && most(values);
    for (let unit = 0; values && unit < this.units; unit++) {
      context.fillStyle = `rgba(0, 0, 0, ${0.6 * (1 - Math.max(values[unit], 0) / scale)})`;
      context.fillRect(...this.corner(unit), SIDE, SIDE);
    }
    for (const [colour, inset] of [["#000", 0], ["#fff", 2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: 2 });
      context.strokeRect(chosen[0] + 1 + inset, chosen[1] + 1 + inset, SIDE - 2 - 2 * inset, SIDE - 2 - 2 * inset);
    }
  }

  showUnit() {
    const unit = Number(find("unit").value), value = this.seen?.layers[0].values[unit];
    find("tile").getContext("2d").putImageData(signed(this.lookedFor(unit)), 0, 0);
    find("unit-number").textContent = `${unit + 1} of ${this.units}`;
    find("unit").setAttribute("aria-valuetext", find("unit-number").textContent);
    const means = this.meansOf(unit), best = largest(means), least = largest(means.map((x) => -x));
    const ends = means[best] === means[least] ? "It answers to all test digits alike."
      : `Of the test digits it answers most to a ${best}, least to a ${least}.`;
    find("unit-said").textContent = (this.seen ? `${value.toFixed(2)} for your digit. ` : "") + ends;
  }

  // What a unit of the first layer says to the test digits, on average for each digit.
  meansOf(unit) {
    if (!this.means.has(unit)) this.means.set(unit, this.measured(unit));
    return this.means.get(unit);
  }

  measured(unit) {
    this.fed ??= this.images.map((image) => prepared(this.network, image));
    const { inputs, outputs, columns, biases } = this.network.layers[0];
    const activation = this.network.layers.length > 1 ? ACTIVATIONS[this.network.activation] : (x) => x;
    const sums = new Array(10).fill(0), counts = countsOf(this.labels);
    this.fed.forEach((values, image) => {
      let sum = biases[unit];
      for (let input = 0; input < inputs; input++) sum += values[input] * columns[input * outputs + unit];
      sums[this.labels[image]] += activation(sum);
    });
    return sums.map((sum, digit) => (counts[digit] ? sum / counts[digit] : 0));
  }
}
