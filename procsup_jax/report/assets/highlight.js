(() => {
  "use strict";
  // Pointing at a row of Table 1, or at a mark with its letter, lights the same letter up in every figure.
  const light = (letter) => {
    document.body.classList.toggle("lit", Boolean(letter));
    for (const node of document.querySelectorAll("[data-row]")) {
      node.classList.toggle("on", node.dataset.row === letter);
    }
  };
  const letterOf = (event) => event.target.closest && event.target.closest("[data-row]");
  for (const kind of ["pointerover", "focusin"]) {
    document.addEventListener(kind, (event) => light(letterOf(event) ? letterOf(event).dataset.row : ""));
  }
})();
