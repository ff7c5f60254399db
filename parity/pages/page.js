"use strict";

/* Links to the sections, where there are enough to get lost. */
const headings = [...document.querySelectorAll("section > h2")];
if (headings.length > 3) headings.forEach((heading, place) => {
  heading.parentElement.id = `section-${place + 1}`;
  const link = document.createElement("a");
  link.setAttribute("href", `#section-${place + 1}`);
  link.textContent = heading.textContent;
  document.querySelector("nav").append(link);
});

/* Numbers by size, words by the alphabet, upwards or downwards; words come after numbers. */
function compare(a, b, sign) {
  const [one, other] = [a, b].map((text) => parseFloat(text.replaceAll(",", "")));
  if (isNaN(one) !== isNaN(other)) return isNaN(one) - isNaN(other);
  return sign * (isNaN(one) ? a.localeCompare(b) : one - other);
}

function sortable(table) {
  const [head, ...rows] = table.rows;
  if (rows.length < 3 || head.querySelector("td")) return;
  [...head.cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      [...head.cells].forEach((cell) => cell.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const text = (row) => row.cells[column].textContent.trim();
      rows.sort((a, b) => compare(text(a), text(b), down ? -1 : 1));
      head.after(...rows);
    });
  });
}
document.querySelectorAll("table").forEach(sortable);
