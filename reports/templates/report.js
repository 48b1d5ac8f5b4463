"use strict";
// The sample browser. All text from the run is written with textContent, never as HTML.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const { conditions, documents, texts, prompts, spans, samples, tests = [], chosen: first = -1 } = data;
  const ROW_HEIGHT = 58;
  const SPARE_ROWS = 6;

  // Theme: what the system says, until the reader chooses.
  const themes = ["auto", "light", "dark"];
  const showTheme = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    byId("theme").textContent = `Theme: ${theme}`;
  };
  const storage = { // a page opened from disk may have none
    get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
    set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* it holds for this visit only */ } },
  };
  let theme = themes.includes(storage.get("vharness-theme")) ? storage.get("vharness-theme") : "auto";
  showTheme(theme);
  byId("theme").addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    storage.set("vharness-theme", theme);
    showTheme(theme);
  });

  // A sample and its base.
  const severalRuns = new Set(conditions.map((condition) => condition.run)).size > 1;
  const steeredOnly = conditions.some((condition) => condition.value);
  const all = samples.condition.map((_, s) => s).filter((s) => !steeredOnly || conditionOf(s).value);
  function conditionOf(s) { return conditions[samples.condition[s]]; }
  function documentOf(s) { return documents[samples.document[s]]; }
  const textOf = (s) => texts[samples.text[s]];
  const side = (s, sign) => ({ yes: sign > 0 ? "on" : "off", no: sign > 0 ? "off" : "on" })[samples.csr[s]] ?? samples.csr[s];
  const flip = (s) => {
    const b = samples.base[s];
    if (b < 0) return "";
    const [before, after] = [b, s].map((x) => samples.csr[x] || samples.stance[x] || samples.exam[x]);
    if (!before || !after || before === "unscored" || after === "unscored") return "";
    return before === after ? "same" : "flipped";
  };
  const labels = (s) => {
    const about = documentOf(s).value;
    const words = [
      { yes: `acts for ${about}`, no: `acts against ${about}`, unscored: "side unscored" }[samples.csr[s]],
      { unscored: "fluency unscored" }[samples.fr[s]] ?? samples.fr[s],
      { unscored: "stance unscored" }[samples.stance[s]] ?? (samples.stance[s] && `says ${samples.stance[s]}`),
      samples.exam[s],
    ];
    return words.filter(Boolean).join(", ");
  };
  const steering = (s) => {
    const condition = conditionOf(s);
    if (!condition.value) return "unsteered";
    const gate = condition.twin ? ", no gate" : "";
    const method = severalRuns ? `${condition.steerer} ` : "";
    return `${method}${condition.value} ${condition.sign > 0 ? "+" : "\u2212"}${condition.strength}${gate}`;
  };

  // Filters.
  const distinct = (list) => [...new Set(list)].filter((x) => x !== "");
  const filters = {
    test: {
      options: tests.map((_, n) => String(n)),
      label: (n) => tests[n].name,
      keeps: (s) => behind.has(s),
    },
    run: { options: distinct(all.map((s) => conditionOf(s).run)), keeps: (s, x) => conditionOf(s).run === x },
    steered: { options: distinct(all.map((s) => conditionOf(s).value)), keeps: (s, x) => conditionOf(s).value === x },
    strength: {
      options: steeredOnly ? distinct(all.map((s) => String(conditionOf(s).strength))) : [],
      keeps: (s, x) => String(conditionOf(s).strength) === x,
    },
    about: {
      options: ["the value steered", ...distinct(all.map((s) => documentOf(s).value))],
      keeps: (s, x) => documentOf(s).value === (x === "the value steered" ? conditionOf(s).value : x),
    },
    kind: { options: distinct(all.map((s) => documentOf(s).kind)), keeps: (s, x) => documentOf(s).kind === x },
    verdict: {
      options: ["on the side aimed at", "on the other side", "broken", "right", "wrong", "unscored"],
      keeps: (s, x) => ({
        "on the side aimed at": () => side(s, conditionOf(s).sign) === "on",
        "on the other side": () => side(s, conditionOf(s).sign) === "off",
        broken: () => samples.fr[s] === "broken",
        right: () => samples.exam[s] === "right",
        wrong: () => samples.exam[s] === "wrong",
        unscored: () => [samples.csr[s], samples.fr[s], samples.stance[s]].includes("unscored"),
      })[x](),
    },
    flip: { options: steeredOnly ? ["flipped", "same"] : [], keeps: (s, x) => flip(s) === x },
  };
  for (const [name, filter] of Object.entries(filters)) {
    filter.select = byId(`filter-${name}`);
    filter.select.append(new Option("any", "any"));
    for (const option of filter.options) filter.select.append(new Option(filter.label?.(option) ?? option, option));
    filter.select.parentElement.hidden = filter.options.length < (filter.label ? 1 : 2);
  }

  // Every text is folded once; a search then looks at each text once, not at each sample.
  let folded = null;
  const searcher = (query) => {
    folded ??= { texts: texts.map((t) => t.toLowerCase()), documents: documents.map((d) => d.text.toLowerCase()) };
    const inText = folded.texts.map((t) => t.includes(query));
    const inDocument = folded.documents.map((t) => t.includes(query));
    return (s) => inDocument[samples.document[s]] || inText[samples.text[s]]
      || (samples.base[s] >= 0 && inText[samples.text[samples.base[s]]]);
  };

  let found = all;
  let chosen = 0;
  let behind = new Map(); // what the chosen test looks at: sample to the one it is held against, and a note
  const list = byId("list");
  const rows = byId("rows");

  function applyFilters() {
    const test = tests[filters.test.select.value];
    behind = new Map(test?.samples.map((s, n) => [s, [test.against[n], test.notes[n]]]));
    byId("about").textContent = test?.words ?? "";
    const wanted = Object.values(filters).filter((f) => f.select.value !== "any").map((f) => (s) => f.keeps(s, f.select.value));
    const query = byId("filter-search").value.trim().toLowerCase();
    if (query) wanted.push(searcher(query));
    found = (test?.samples ?? all).filter((s) => wanted.every((keeps) => keeps(s)));
    chosen = 0;
    list.scrollTop = 0;
    byId("count").textContent = `${found.length.toLocaleString("en")} of ${all.length.toLocaleString("en")} samples`;
    rows.style.height = `${found.length * ROW_HEIGHT}px`;
    showRows();
    showDetail();
  }

  // Only the rows in sight exist.
  function element(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function showRows() {
    const first = Math.max(0, Math.floor(list.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
    const last = Math.min(found.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW_HEIGHT) + SPARE_ROWS);
    const made = [];
    for (let n = first; n < last; n += 1) {
      const s = found[n];
      const row = element("div", "row");
      row.id = `row-${n}`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(n === chosen));
      row.setAttribute("aria-posinset", String(n + 1));
      row.setAttribute("aria-setsize", String(found.length));
      row.style.top = `${n * ROW_HEIGHT}px`;
      const note = behind.has(s) ? texts[behind.get(s)[1]] : flip(s) === "flipped" && "flipped";
      const item = [documentOf(s).value, documentOf(s).scene].filter(Boolean).join(", ");
      row.append(
        element("div", "what", `${steering(s)} \u2192 ${item || documentOf(s).kind} \u00b7 ${note ? `${note} \u00b7 ` : ""}${labels(s)}`),
        element("div", "said", textOf(s).slice(0, 200) || "(empty)"),
      );
      row.addEventListener("click", () => choose(n));
      made.push(row);
    }
    rows.replaceChildren(...made);
    if (found.length) list.setAttribute("aria-activedescendant", `row-${chosen}`);
    else list.removeAttribute("aria-activedescendant");
  }

  function choose(n) {
    chosen = Math.max(0, Math.min(found.length - 1, n));
    const top = chosen * ROW_HEIGHT;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW_HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW_HEIGHT - list.clientHeight;
    showRows();
    showDetail();
  }

  // Text with the steered tokens in <mark>s; places are pairs of first and past-the-last.
  function marked(name, text, places) {
    const made = element("div", name);
    let end = 0;
    for (let n = 0; n < places.length; n += 2) {
      made.append(text.slice(end, places[n]), element("mark", "", text.slice(places[n], places[n + 1])));
      end = places[n + 1];
    }
    made.append(text.slice(end));
    if (!text) made.append("(empty)");
    return made;
  }
  let promptsOpen = false;
  function promptOf(s) {
    const made = element("details");
    const steered = texts[samples.prompt_words[s]];
    made.append(
      element("summary", "", `Prompt as the model read it${steered ? `, ${steered}` : ""}`),
      marked("prompt", prompts[samples.prompt[s]], spans[samples.prompt_spans[s]]),
    );
    made.open = promptsOpen;
    made.addEventListener("toggle", () => { // of both sides at once, and of the samples to come
      promptsOpen = made.open;
      for (const other of byId("detail").querySelectorAll("details")) other.open = promptsOpen;
    });
    return made;
  }
  function sideOf(s) {
    const made = element("section", "side");
    const title = conditionOf(s).value ? `Steered: ${steering(s)}` : "Base";
    made.append(element("h4", "", title), element("p", "labels", labels(s)));
    for (const words of [texts[samples.touch[s]], texts[samples.answer_words[s]]]) {
      if (words) made.append(element("p", "touch", words));
    }
    made.append(marked("text", textOf(s), spans[samples.answer_spans[s]]));
    const reason = texts[samples.reason[s]];
    if (reason) made.append(element("p", "reason", `Judge \u2013 ${reason}`));
    made.append(promptOf(s));
    return made;
  }
  function optionsOf(doc) {
    if (doc.kind === "exam") { // its question lists the choices
      return element("p", "note", `Right: ${String.fromCharCode(65 + doc.favours)}. ${doc.options[doc.favours]}`);
    }
    const made = element("ol");
    doc.options.forEach((option, n) => made.append(element("li", "", n === doc.favours ? `${option} (for ${doc.value})` : option)));
    return made;
  }
  function showDetail() {
    const detail = byId("detail");
    if (!found.length) {
      detail.replaceChildren(element("p", "", "No sample fits these filters."));
      return;
    }
    const s = found[chosen];
    const doc = documentOf(s);
    const title = [doc.kind, doc.value, doc.scene, samples.repeat[s] ? `answer ${samples.repeat[s] + 1}` : "", doc.id];
    const sides = element("div", "sides");
    const [before] = behind.get(s) ?? [samples.base[s]];
    if (before >= 0) sides.append(sideOf(before));
    sides.append(sideOf(s));
    detail.replaceChildren(
      element("h3", "", title.filter(Boolean).join(" \u00b7 ")),
      ...(behind.has(s) ? [element("p", "note", texts[behind.get(s)[1]])] : []),
      element("div", "text", doc.text),
      ...(doc.options.length ? [optionsOf(doc)] : []),
      sides,
    );
    detail.scrollTop = 0;
  }

  const page = () => Math.max(1, Math.floor(list.clientHeight / ROW_HEIGHT) - 1);
  const moves = {
    ArrowDown: () => chosen + 1,
    ArrowUp: () => chosen - 1,
    PageDown: () => chosen + page(),
    PageUp: () => chosen - page(),
    Home: () => 0,
    End: () => found.length - 1,
  };
  list.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move || !found.length) return;
    event.preventDefault();
    choose(move());
  });
  let waiting = false;
  list.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; showRows(); });
  });
  addEventListener("resize", showRows);
  for (const button of document.querySelectorAll("button[data-test]")) {
    button.addEventListener("click", () => {
      byId("filters").reset();
      filters.test.select.value = button.dataset.test;
      applyFilters();
      byId("samples").scrollIntoView();
      list.focus({ preventScroll: true });
    });
  }
  byId("legend").hidden = !spans.some((places) => places.length);
  byId("filters").addEventListener("input", applyFilters);
  byId("filters").addEventListener("reset", () => setTimeout(applyFilters));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  if (first >= 0) filters.test.select.value = String(first);
  applyFilters();
})();
