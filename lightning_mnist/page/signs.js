// Signs that a model has collapsed, in the words of parity.

const TOP_SHARE_EXCESS = 0.3, TOP_SHARE = 0.5, SPREAD = 0.05, SUPPORT = 30;

function percent(share) {
  return `${(100 * share).toFixed(2)}%`;
}

// Ten counts of predictions and ten of labels, and the range of the probabilities if it is known.
function signsOf(predicted, labels, right, spread = 1) {
  const sum = labels.reduce((a, b) => a + b, 0), signs = [];
  if (spread < SPREAD)
    signs.push(`the probabilities hardly depend on the image: they differ by ${Number(spread.toPrecision(2))} at most`);
  const top = largest(predicted), share = predicted[top] / sum, usual = labels[top] / sum;
  if (share > TOP_SHARE && share - usual > TOP_SHARE_EXCESS)
    signs.push(`${percent(share)} of the predictions are class ${top}, which ${percent(usual)} of the labels are`);
  const unused = labels.map((_, digit) => digit).filter((digit) => predicted[digit] === 0
    && labels[digit] >= SUPPORT && labels[digit] / sum >= 0.25 / labels.length);
  if (unused.length)
    signs.push(`never predicts ${unused.length} of ${labels.length} classes (${unused.join(", ")})`);
  const majority = largest(labels);
  if (right <= labels[majority])
    signs.push(`accuracy ${percent(right / sum)} does not beat always answering class ${majority} (${percent(labels[majority] / sum)})`);
  return signs;
}
