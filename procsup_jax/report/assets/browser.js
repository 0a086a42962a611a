(() => {
  "use strict";
  const PAGE = 8;
  const COLUMNS = 3; // of scores beside a step; a run with more reward models shows the chosen one among them
  const data = JSON.parse(document.getElementById("examples-data").textContent);
  const state = { verdict: "", model: "", decoding: "", set: "", text: "", score: data.score, page: 0 };
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

  // A solution may be what several decodings choose.
  const has = (example, key, value) => (key === "decoding" ? example.decodings.includes(value) : example[key] === value);

  function matches(example, except) {
    for (const key of ["verdict", "model", "decoding", "set"]) {
      if (key !== except && state[key] && !has(example, key, state[key])) return false;
    }
    return state.text.toLowerCase().split(/\s+/).every((word) => haystack.get(example).includes(word));
  }

  const count = (key, value) =>
    data.examples.filter((example) => matches(example, key) && (!value || has(example, key, value))).length;

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

  const titleOf = (key, value) => (data.choices[key].find(([each]) => each === value) || ["", value])[1];
  // A reward model may have any name, "constructor" too.
  const scoresOf = (example, name) => (Object.hasOwn(example.scores, name) ? example.scores[name] : null);

  // The reward models whose scores stand beside an example's steps, the chosen one always among them.
  function columns(example) {
    const found = data.choices.score.map(([name]) => name).filter((name) => scoresOf(example, name));
    const shown = found.slice(0, COLUMNS);
    return !found.includes(state.score) || shown.includes(state.score) ? shown : [...shown.slice(0, -1), state.score];
  }

  function score(name, value, chosen) {
    const node = make("span", chosen ? "score chosen" : "score", value.toFixed(2));
    node.title = `${titleOf("score", name)}: probability ${value} that the steps so far are correct`;
    if (chosen) tint(node, value, 55);
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
    for (const name of columns(example)) scores.append(score(name, scoresOf(example, name)[i], name === state.score));
    const item = make("li", i === firstError ? "step first" : "step", glyph, body, scores);
    const chosen = scoresOf(example, state.score);
    if (chosen) tint(item, chosen[i], 26);
    return item;
  }

  function card(example, number) {
    const firstError = example.labels ? example.labels.indexOf(0) : -1;
    const names = (key) => titleOf(key, example[key]);
    const verdict = make("span", `verdict ${example.verdict}`, names("verdict"));
    const chosenBy = example.decodings.map((each) => titleOf("decoding", each)).join(", ");
    const where = make("span", "where", `${names("model")} · ${chosenBy}${example.set ? ` · ${names("set")}` : ""}`);
    const head = make("div", "card-head", verdict, where, make("span", "uid", example.uid));
    const heads = make("div", "score-heads");
    if (state.score && !scoresOf(example, state.score)) {
      heads.append(make("span", "unscored", `not scored by ${titleOf("score", state.score)}`));
    }
    for (const name of columns(example)) {
      const column = make("span", name === state.score ? "column chosen" : "column", titleOf("score", name));
      column.title = column.textContent;
      heads.append(column);
    }
    const list = make("ol", "steps", ...example.steps.map((_, i) => step(example, i, firstError)));
    const right = example.verdict !== "wrong";
    const answer = make("p", "answer", "Answer ", make("b", right ? "ok" : "no", example.answer === null ? "none" : example.answer));
    if (example.reference) answer.append(right ? " is right" : ` is wrong; the reference is ${example.reference}`);
    const node = make("article", "solution", head, make("p", "question", example.question), heads, list, answer);
    node.setAttribute("aria-label", `Solution ${number}: ${names("verdict")}`);
    return node;
  }

  function chip(name, value, checked, ...said) {
    const input = make("input");
    Object.assign(input, { type: "radio", name, value, checked });
    return make("label", "chip", input, make("span", "", ...said));
  }

  function chips() {
    for (const [value, title] of [["", "all"], ...data.choices.verdict]) {
      const tally = make("span", "tally");
      tally.dataset.verdict = value;
      byId("verdict-chips").append(chip("verdict", value, value === "", title, " ", tally));
    }
    for (const [name, title] of data.choices.score) {
      byId("score-chips").append(chip("score", name, name === state.score, title));
    }
    const longest = Math.max(0, ...data.choices.score.map(([, title]) => title.length));
    byId("browser").classList.toggle("long-names", longest > 4);
    byId("score-choice").hidden = byId("scale").hidden = !data.choices.score.length;
  }

  function nothing() {
    const all = make("button", "button", "Show all solutions");
    all.type = "button";
    all.addEventListener("click", () => {
      Object.assign(state, { verdict: "", model: "", decoding: "", set: "", text: "", page: 0 });
      document.querySelector("input[name=verdict][value='']").checked = true;
      byId("filter-text").value = "";
      render();
      byId("filter-text").focus();
    });
    return make("div", "nothing", make("p", "note", "No solution matches these filters and words."), all);
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
    if (!shown.length) byId("solutions").append(nothing());
    byId("pager").hidden = pages === 1;
    byId("count").textContent = `${found.length} of ${data.examples.length} solutions`;
    byId("page-now").textContent = shown.length ? `${from + 1}–${from + shown.length} of ${found.length}` : "";
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
