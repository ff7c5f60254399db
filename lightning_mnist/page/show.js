// What is shown: bars, digits, lines. Nothing here knows what it means.

const find = (id) => document.getElementById(id);

function element(name, className, text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

// Ten bars of shares 0 to 1, each with its words, and marks where a share should be.
function showBars(list, shares, words, marks = null) {
  if (!list.children.length) {
    for (let digit = 0; digit < 10; digit++) {
      const row = element("li"), track = element("div", "track");
      track.append(element("div", "bar"));
      if (marks) track.append(element("div", "mark"));
      row.append(element("span", "", digit), track, element("span", "value"));
      list.append(row);
    }
  }
  const best = largest(shares);
  [...list.children].forEach((row, digit) => {
    row.className = shares[digit] > 0 && digit === best ? "best" : "";
    row.querySelector(".bar").style.width = `${100 * shares[digit]}%`;
    row.querySelector(".value").textContent = words[digit];
    if (marks) row.querySelector(".mark").style.left = `${100 * marks[digit]}%`;
  });
}

// Counts of predictions beside the true ones, to the scale of the largest.
function showCounts(list, predicted, labels) {
  const most = Math.max(...predicted, ...labels, 1), shares = (counts) => counts.map((n) => n / most);
  showBars(list, shares(predicted), predicted.map(String), shares(labels));
}

function showDigit(canvas, pixels) {  // grey levels 0 to 255, 28 x 28
  const image = new ImageData(SIDE, SIDE);
  pixels.forEach((level, at) => image.data.set([level, level, level, 255], 4 * at));
  canvas.width = canvas.height = SIDE;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function showCourse(canvas, losses, epochs) {
  const context = canvas.getContext("2d"), { width, height } = canvas;
  const finite = losses.filter(Number.isFinite), top = Math.max(2.5, Math.min(Math.max(...finite, 0), 10));
  context.clearRect(0, 0, width, height);
  Object.assign(context, {
    strokeStyle: getComputedStyle(canvas).color, fillStyle: getComputedStyle(canvas).color, lineWidth: 2,
    font: "14px system-ui, sans-serif",
  });
  context.textAlign = "right";
  context.fillText(`loss, 0 to ${top.toPrecision(2)}`, width - 8, 18);
  context.beginPath();
  losses.forEach((loss, epoch) => {
    const level = Number.isFinite(loss) ? Math.min(loss, top) / top : 1;
    context.lineTo(8 + (epoch / Math.max(epochs, 1)) * (width - 16), height - 6 - level * (height - 12));
  });
  context.stroke();
}

function showUnits(box, layers) {  // the share of the digits for which each hidden unit is on
  const units = layers.flat();
  while (box.children.length < units.length) box.append(element("div", "unit"));
  units.forEach((share, at) => {
    const unit = box.children[at];
    unit.className = share === 0 ? "unit dead" : "unit";
    unit.style.opacity = share === 0 ? 1 : 0.25 + 0.75 * share;
  });
  const dead = units.filter((share) => share === 0).length;
  box.setAttribute("aria-label", `${dead} of ${units.length} hidden units are dead`);
}
