(() => {
  "use strict";
  const PAGE = 8;
  const data = JSON.parse(document.getElementById("examples-data").textContent);
  const state = { verdict: "", model: "", decoding: "", set: "", text: "", score: "", page: 0 };
  const byId = (id) => document.getElementById(id);

  function make(tag, className, ...children) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children.filter((child) => child !== null));
    return node;
  }

  const haystack = new Map();
  for (const example of data.examples) {
    haystack.set(example, [example.uid, example.question, ...example.steps].join("\n").toLowerCase());
  }

  function matches(example, except) {
    for (const key of ["verdict", "model", "decoding", "set"]) {
      if (key !== except && state[key] && example[key] !== state[key]) return false;
    }
    return state.text.toLowerCase().split(/\s+/).every((word) => haystack.get(example).includes(word));
  }

  const count = (key, value) =>
    data.examples.filter((example) => matches(example, key) && (!value || example[key] === value)).length;

  // The step's text, with `<<6*7=42>>` set apart as a calculator annotation.
  function stepText(text) {
    const node = make("span", "step-text");
    for (const part of text.split(/(<<[^<>]*>>)/)) {
      if (/^<<[^<>]*>>$/.test(part)) {
        node.append(make("span", "hidden-mark", "<<"), make("code", "calc", part.slice(2, -2)), make("span", "hidden-mark", ">>"));
      } else {
        node.append(part);
      }
    }
    return node;
  }

  function score(name, value, chosen) {
    const node = make("span", chosen ? "score chosen" : "score", value.toFixed(2));
    node.title = `${name.toUpperCase()}: probability ${value} that the steps so far are correct`;
    if (chosen) tint(node, value, 62);
    return node;
  }

  // Orange below one half, blue above; the further from it, the stronger.
  function tint(node, value, strongest) {
    node.style.setProperty("--tone", value < 0.5 ? "var(--bad)" : "var(--good)");
    node.style.setProperty("--strength", `${(Math.abs(value - 0.5) * 2 * strongest).toFixed(1)}%`);
  }

  function step(example, i, firstError) {
    const label = example.labels && example.labels[i];
    const mark = example.labels === null ? "·" : label ? "✓" : "✗";
    const said = example.labels === null ? "not labelled" : label ? "labelled correct" : "labelled incorrect";
    const glyph = make("span", `glyph ${example.labels === null ? "" : label ? "ok" : "no"}`, mark);
    glyph.setAttribute("role", "img");
    glyph.setAttribute("aria-label", said);
    glyph.title = said;
    const body = make("div", "step-body", stepText(example.steps[i]));
    const reason = example.reason && example.reason[i];
    if (i === firstError) {
      body.append(make("p", "first-error", make("b", "", "first error"), reason ? ` ${reason}` : ""));
    }
    const scores = make("span", "scores-cell");
    for (const name of ["orm", "prm"]) {
      if (example[name]) scores.append(score(name, example[name][i], name === state.score));
    }
    const item = make("li", i === firstError ? "step first" : "step", glyph, body, scores);
    if (example[state.score]) tint(item, example[state.score][i], 26);
    return item;
  }

  function card(example, number) {
    const firstError = example.labels ? example.labels.indexOf(0) : -1;
    const names = (key) => (data.choices[key].find(([value]) => value === example[key]) || ["", example[key]])[1];
    const verdict = make("span", `verdict ${example.verdict}`, names("verdict"));
    const where = make("span", "where", `${names("model")} · ${names("decoding")}${example.set ? ` · ${names("set")}` : ""}`);
    const head = make("div", "card-head", verdict, where, make("span", "uid", example.uid));
    const columns = make("div", "score-heads");
    for (const name of ["orm", "prm"]) {
      if (example[name]) columns.append(make("span", name === state.score ? "chosen" : "", name.toUpperCase()));
    }
    const list = make("ol", "steps", ...example.steps.map((_, i) => step(example, i, firstError)));
    const right = example.verdict !== "wrong";
    const answer = make("p", "answer", "Answer ", make("b", right ? "ok" : "no", example.answer === null ? "none" : example.answer));
    if (example.reference) answer.append(right ? " is right" : ` is wrong; the reference is ${example.reference}`);
    const node = make("article", "solution", head, make("p", "question", example.question), columns, list, answer);
    node.setAttribute("aria-label", `Solution ${number}: ${names("verdict")}`);
    return node;
  }

  function chips() {
    const box = byId("verdict-chips");
    for (const [value, title] of [["", "all"], ...data.choices.verdict]) {
      const input = make("input");
      Object.assign(input, { type: "radio", name: "verdict", value, checked: value === "" });
      const tally = make("span", "tally");
      tally.dataset.verdict = value;
      box.append(make("label", "chip", input, make("span", "", title, " ", tally)));
    }
  }

  function options(key, all) {
    const select = byId(`filter-${key}`);
    select.replaceChildren(...[["", all], ...data.choices[key]].map(([value, title]) => {
      const option = make("option", "", `${title} (${count(key, value)})`);
      option.value = value;
      option.selected = value === state[key];
      return option;
    }));
    select.closest("label").hidden = data.choices[key].length < 2;
  }

  function render() {
    const found = data.examples.filter((example) => matches(example, ""));
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    state.page = Math.min(state.page, pages - 1);
    const from = state.page * PAGE;
    const shown = found.slice(from, from + PAGE);
    byId("solutions").replaceChildren(...shown.map((example, i) => card(example, from + i + 1)));
    if (!shown.length) byId("solutions").append(make("p", "note", "No solution matches. Clear the search or choose “all”."));
    byId("count").textContent = `${found.length} of ${data.examples.length} solutions`;
    byId("page-now").textContent = shown.length ? `${from + 1}–${from + shown.length} of ${found.length}` : "none";
    byId("page-back").disabled = state.page === 0;
    byId("page-next").disabled = state.page === pages - 1;
    for (const tally of document.querySelectorAll(".tally")) tally.textContent = count("verdict", tally.dataset.verdict);
    options("model", "all policies");
    options("decoding", "all decodings");
    options("set", "all sets");
  }

  function turn(by) {
    state.page += by;
    render();
    byId("filters").scrollIntoView({ block: "start" });
  }

  function start() {
    chips();
    const scored = ["orm", "prm"].filter((name) => data.examples.some((example) => example[name]));
    state.score = scored[scored.length - 1] || "";
    for (const input of document.querySelectorAll("input[name=score]")) {
      input.checked = input.value === state.score;
      input.closest("label").hidden = !scored.includes(input.value);
    }
    byId("score-choice").hidden = !scored.length;
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters").addEventListener("input", (event) => {
      const key = event.target.name || event.target.id.replace("filter-", "");
      state[key] = event.target.value;
      if (key !== "score") state.page = 0;
      render();
    });
    byId("page-back").addEventListener("click", () => turn(-1));
    byId("page-next").addEventListener("click", () => turn(1));
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
        event.preventDefault();
        byId("filter-text").focus();
      }
    });
    byId("browser").hidden = false;
    render();
  }

  if (data.examples.length) start();
})();
