// The page at work: what is drawn goes to the networks, and their answers to the screen.

const page = {};  // for the console, and for tests

async function unpack() {
  const data = JSON.parse(find("data").textContent);
  const { images: packed, labels, name } = data.digits;
  const [pixels, ...bodies] = await Promise.all([packed, ...data.networks.map(({ body }) => body)].map(inflate));
  const networks = data.networks.map((head, at) => unpackNetwork(head, bodies[at]));
  const images = unpackDigits(data.digits, pixels);
  return { networks, images, labels: Array.from(labels, Number), name, words: data.words };
}

function readingOf(network, logits) {
  const { shares } = softmax(logits, network.temperature), digit = largest(shares);
  const energy = -softmax(logits).logSum;  // high where no class has much evidence
  const strange = network.strangest !== null && energy > network.strangest;
  return { shares, digit, confidence: shares[digit], strange };
}

function wrongs() {
  const form = new FormData(find("wrong"));
  return {
    invert: form.has("invert"), divided: form.get("divided"), shift: Number(form.get("shift")),
    size: Number(form.get("size")) / 100, noise: Number(form.get("noise")),
  };
}

function showAnswer() {
  const seen = page.pad.isBlank ? null : (page.sample ?? seenIn(page.pad.grey, page.pad.canvas.width, page.pad.canvas.height));
  if (!seen) {
    find("answer").textContent = page.pad.isBlank ? "Nothing drawn yet." : "No ink to be seen.";
    showDigit(find("seen"), new Uint8Array(SIDE * SIDE));
    showBars(find("bars"), new Array(10).fill(0), new Array(10).fill(""));
    find("yours").textContent = "Nothing drawn yet.";
    showInside(null);
    return;
  }
  const how = wrongs(), pixels = changed(seen.pixels, how, 1), divisor = DIVISORS[how.divided];
  const computed = page.networks.map((network) => layersOf(network, pixels, divisor));
  const readings = page.networks.map((network, at) => readingOf(network, computed[at].at(-1).values));
  const [first, other] = readings;
  const doubts = [first.strange && "it looks like no digit that the network has learned",
    seen.second && "a second digit was seen"].filter(Boolean);
  find("answer").textContent = `${first.digit}, ${(100 * first.confidence).toFixed(1)} %`
    + (doubts.length ? `, unsure: ${doubts.join("; ")}` : "");
  showDigit(find("seen"), pixels);
  showBars(find("bars"), first.shares, first.shares.map((share) => `${(100 * share).toFixed(1)} %`));
  showInside({ pixels, divisor, layers: computed[0], digit: first.digit });
  if (other) {
    const said = readings.map(({ digit, confidence }, at) => `${page.networks[at].name} reads ${digit} (${(100 * confidence).toFixed(1)} %)`);
    find("yours").textContent = `${said.join(", ")}: they ${first.digit === other.digit ? "agree" : "disagree"}.`;
  }
}

// After the answer, which does not wait for it.
function showInside(seen) {
  clearTimeout(page.later);
  page.later = setTimeout(() => {
    page.inside ??= new Inside(page.networks[0], page.images, page.labels);
    page.inside.show(seen);
  });
}

// Answers for all test digits, a few at a time so that the page stays awake.
async function answerAll(network, how, whileCurrent) {
  const answers = [];
  for (let at = 0; at < page.images.length; at++) {
    if (at % 50 === 49) await new Promise((done) => { setTimeout(done); });
    if (!whileCurrent()) return null;
    answers.push(logitsOf(network, changed(page.images[at], how, at), DIVISORS[how.divided]));
  }
  return answers;
}

async function showThousand() {
  const turn = (page.turn = (page.turn ?? 0) + 1), labels = countsOf(page.labels);
  const answers = await answerAll(page.networks[0], wrongs(), () => turn === page.turn);
  if (!answers) return;
  const digits = answers.map(largest), right = digits.filter((digit, at) => digit === page.labels[at]).length;
  const signs = signsOf(countsOf(digits), labels, right);
  find("thousand").textContent = `${right} of ${digits.length} are read right.`
    + (signs.length ? ` Collapsed: ${signs.join("; ")}.` : "");
  find("thousand").className = signs.length ? "alarm" : "";
  showCounts(find("counters"), countsOf(digits), labels);
}

function showWrongs() {
  const { shift, size, noise } = wrongs();
  const said = { shift: `${shift} pixels`, size: `${Math.round(100 * size)} %`, noise: `${noise} levels` };
  for (const output of find("wrong").querySelectorAll("output")) output.textContent = said[output.htmlFor];
  showAnswer();
  showThousand();
}

async function showComparison() {
  const names = page.networks.map(({ name }) => name), clean = { size: 1, shift: 0, divided: "once" };
  const answers = await Promise.all(page.networks.map((network) => answerAll(network, clean, () => true)));
  const pairs = page.images.map((pixels, at) => ({ pixels, label: page.labels[at],
    readings: page.networks.map((network, side) => readingOf(network, answers[side][at])) }));
  const apart = pairs.filter(({ readings: [a, b] }) => a.digit !== b.digit);
  const surest = ({ readings }) => Math.min(...readings.map(({ confidence }) => confidence));
  apart.sort((a, b) => surest(b) - surest(a));
  const right = (side) => apart.filter(({ label, readings }) => readings[side].digit === label).length;
  find("apart").textContent = `On ${apart.length} of ${pairs.length.toLocaleString("en")} test digits of ${page.name}. Of these `
    + `${names[0]} reads ${right(0)} right and ${names[1]} ${right(1)}. Those where both are surest come first.`;
  for (const { pixels, label, readings } of apart.slice(0, 60)) {
    const item = element("li"), canvas = element("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `A test digit, in truth ${label}`);
    showDigit(canvas, pixels);
    item.append(canvas, element("div", "", `in truth ${label}`));
    readings.forEach(({ digit, confidence }, side) => item.append(
      element("div", digit === label ? "right" : "", `${names[side]}: ${digit} (${(100 * confidence).toFixed(0)} %)`)));
    find("gallery").append(item);
  }
}

function showReport(report) {
  page.losses.push(report.loss);
  page.report = report;
  find("course").textContent = `Epoch ${report.epoch} of ${report.epochs}: loss ${Number.isFinite(report.loss) ? report.loss.toPrecision(3) : report.loss}, `
    + `${report.right} of ${report.count} right.`;
  showCourse(find("loss"), page.losses, report.epochs);
  showCounts(find("shares"), report.predicted, countsOf(page.labels));
  showUnits(find("units"), report.on);
  if (report.signs.length) {
    page.collapsedIn ??= report.epoch;
    const why = page.words[page.feed] || "the cause is not in what was measured.";
    find("guard").textContent = `The network has collapsed in epoch ${page.collapsedIn}: ${report.signs.join("; ")}. Why: ${why}`;
    find("guard").className = "alarm";
  }
  if (report.epoch === report.epochs) stopTraining();
}

function stopTraining() {
  page.worker?.terminate();
  page.worker = null;
  find("start").disabled = false;
  find("stop").disabled = true;
}

function startTraining(event) {
  event.preventDefault();
  stopTraining();
  const form = Object.fromEntries(new FormData(find("recipe")));
  Object.assign(page, { losses: [], report: null, collapsedIn: null, feed: form.feed });
  find("guard").textContent = find("guard").className = "";
  find("start").disabled = true;
  find("stop").disabled = false;
  const code = ["shared", "worker"].map((id) => `${find(id).textContent}\n`);
  const source = URL.createObjectURL(new Blob(code, { type: "text/javascript" }));
  page.worker = new Worker(source);
  URL.revokeObjectURL(source);
  page.worker.onmessage = ({ data }) => showReport(data);
  page.worker.postMessage({ ...form, rate: Number(form.rate), epochs: Number(form.epochs), seed: 0,
    images: page.images, labels: page.labels });
}

function chooseTab(chosen) {
  for (const tab of document.querySelectorAll('[role="tab"]')) {
    tab.setAttribute("aria-selected", tab === chosen);
    tab.tabIndex = tab === chosen ? 0 : -1;
    find(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
  }
}

function listenToTabs() {
  const tabs = [...document.querySelectorAll('[role="tab"]:not([hidden])')];
  tabs.forEach((tab, at) => {
    tab.addEventListener("click", () => chooseTab(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
      if (to === undefined) return;
      const next = tabs.at(to % tabs.length);
      chooseTab(next);
      next.focus();
      event.preventDefault();
    });
  });
}

async function showFile(file) {
  if (!file) return;
  try {
    page.sample = null;
    page.pad.show(await createImageBitmap(file));
  } catch {
    find("answer").textContent = `${file.name}: no picture that this browser can read.`;
  }
}

function showSample() {
  const pixels = page.images[Math.floor(Math.random() * page.images.length)], canvas = element("canvas");
  showDigit(canvas, pixels.map((level) => 255 - level));
  page.pad.show(canvas);
  page.sample = { pixels, second: false };  // in MNIST's form already
  showAnswer();
}

function listen() {
  let asked = false;
  page.pad = new Pad(find("pad"), () => {
    page.sample = null;
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; showAnswer(); });
  });
  find("undo").onclick = () => page.pad.undo();
  find("erase").onclick = () => page.pad.erase();
  find("sample").onclick = showSample;
  find("load").onchange = ({ target }) => showFile(target.files[0]);
  document.addEventListener("paste", ({ clipboardData }) => showFile(clipboardData.files[0]));
  find("wrong").oninput = showWrongs;
  find("wrong").onreset = () => setTimeout(showWrongs);
  find("wrong").onsubmit = (event) => event.preventDefault();
  find("recipe").onsubmit = startTraining;
  find("stop").onclick = stopTraining;
  listenToTabs();
}

async function main() {
  Object.assign(page, await unpack());
  find("about").textContent = page.networks.map(({ name, about }) => `${name}: ${about}`).join(" | ");
  find("thousand-title").textContent = `${page.images.length.toLocaleString("en")} test digits of ${page.name}, answered at once`;
  find("tab-compare").hidden = page.networks.length < 2;
  listen();
  if (page.networks.length > 1) {
    find("both").textContent = `${page.networks[0].name} beside ${page.networks[1].name}.`;
    showComparison();
  }
  showWrongs();
  page.ready = true;
}

main();
